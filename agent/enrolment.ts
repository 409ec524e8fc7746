import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AgentConfig } from '../schemas/agent-config.ts';
import type { EnrolAnswer, EnrolmentToken } from '../schemas/enrolment.ts';
import { createBranchCheck } from '../sources/branch-check.ts';
import { loadConfigFile } from '../sources/config-file.ts';
import { createHttpClient } from '../system/http-client.ts';
import { signRequestToken } from '../trust/request-token.ts';
import { type EnrolledFacts, newConfigText, readConfigText, updatedConfigText } from './enrolled-config.ts';
import { deviceKey, keepCredentials, keepDeviceKey, makeFolder, rootFileOf } from './enrolled-credentials.ts';
import { believeAnswer, expectBranch } from './enrolment-checks.ts';
import { callWithUsableKey } from './enrolment-key.ts';
import { expectFreeState, takeState } from './enrolment-state.ts';
import { readEnrolmentToken } from './enrolment-token.ts';
import { readGiven, writeGiven } from './key-files.ts';
import { OperationError } from './operation-error.ts';
import { type AgentPaths, agentPaths, configPath } from './paths.ts';
import { type StateClaim, stateClaim } from './state-owner.ts';
import { memoryFault, restartTrust } from './trust-restart.ts';
import { looksLikeTufRoot } from './tuf-root.ts';
import { forgetUnenrolment, unenrolmentMark } from './unenrolment-mark.ts';
import { AGENT_VERSION } from './version.ts';

const CA_FILE_MAX_BYTES = 4 * 1024 * 1024;
const DEFAULT_CACHE_DIR = AgentConfig.shape.edge_cache_dir.parse(undefined);

export interface EnrolmentOrder {
  readonly token: string;
  /** Where agent.yaml is, or will be. */
  readonly configFile: string;
  /** Null: as in the agent.yaml that is there, else `credentials` beside it. */
  readonly credentialsDir: string | null;
  readonly cacheDir: string | null;
  readonly caFile: string | null;
  readonly proxy: string | null;
  /** Replace an agent.yaml of another agent. */
  readonly force: boolean;
  readonly locale: 'fr' | 'en';
  readonly now: () => Date;
  /** A device key was made, and where it is kept: it stays also where enrolment fails after that. */
  readonly onKeyMade?: (place: string) => void;
  /** The state was another agent's, whose agent.yaml is gone or names it no more. */
  readonly onStateTaken?: (from: { agent_id: string | null; config: string }) => void;
}

export interface Enrolment {
  readonly agent_id: string;
  readonly tenant: string;
  readonly config: string;
  readonly credentials_dir: string;
  /** Where versions, runs and the state of this agent live. */
  readonly cache_dir: string;
  readonly source_url: string;
}

/**
 * Makes this machine an agent of the tenant that the token names (contract, section 7). Nothing but the device key is kept before
 * everything has been checked, and agent.yaml is written last: an enrolment that broke off is repeated with the same token.
 * Throws OperationError: exit 2 wrong use, 3 an answer that is not believed, 4 a person must act, 5 no answer.
 */
export async function enrol(order: EnrolmentOrder, signal: AbortSignal): Promise<Enrolment> {
  const { text: token, claims } = readEnrolmentToken(order.token);
  const existing = await existingConfig(order, claims.tenant);
  const credentialsDir =
    order.credentialsDir ?? existing?.credentialsDir ?? join(dirname(order.configFile), 'credentials');
  if (order.caFile !== null) await expectCertificates(order.caFile);
  await expectFreeState(foreseenClaim(order, existing, claims.tenant, credentialsDir), signal);
  let key = await deviceKey(credentialsDir, order.onKeyMade);
  /** This machine was an agent before, and is to be one again: agent.yaml stays what it is but for what enrolment decides. */
  let returns = existing?.config != null && (await unenrolmentMark(credentialsDir, existing.config)) !== null;

  let clockOffsetMs: number | null = null;
  const client = createHttpClient({
    userAgent: `edge-agent/${AGENT_VERSION}`,
    clock: { now: order.now },
    onClockOffset: (ms) => {
      clockOffsetMs = ms;
    },
    ...caAndProxy(order, existing),
  });
  let answer: EnrolAnswer;
  try {
    const { saas_url: saasUrl } = claims;
    const call = { client, saasUrl, token, now: order.now, clockOffsetMs: () => clockOffsetMs, signal };
    const enrolled = await callWithUsableKey(call, key, credentialsDir);
    ({ answer, key } = enrolled);
    returns ||= enrolled.replaced;
    await believeAnswer(answer, claims);
    if (!returns) expectSameAgent(existing, answer, order);
    const authorize = async (method: string, url: URL | string) => {
      const now = new Date(order.now().getTime() + (clockOffsetMs ?? 0));
      const proof = await signRequestToken({
        jwk: key,
        issuer: answer.agent_id,
        method,
        url: String(url),
        now,
      });
      return `Bearer ${proof}`;
    };
    await expectBranch(
      createBranchCheck({ client, saasUrl, authorize }),
      claims.tenant,
      order.locale,
      signal,
    );
  } finally {
    client.close();
  }

  const facts = factsOf(answer, claims, order, credentialsDir);
  const { text, config } = configText(existing, facts, order, returns);
  signal.throwIfAborted();
  const paths = agentPaths(config, order.configFile);
  const claim = stateClaim(config, paths);
  await expectFreeState(claim, signal);
  await expectMemory(answer.root, paths, order.force, signal);
  const before = await takeState(claim, paths.lock, signal);
  if (before !== null) order.onStateTaken?.(before);
  await keepDeviceKey(key, credentialsDir);
  await keepCredentials(answer, credentialsDir);
  if (text !== existing?.text) {
    await makeFolder(dirname(order.configFile), 0o755);
    // --force replaces what a person may have written by hand
    if (existing !== null && !returns && existing.config?.agent_id !== answer.agent_id) {
      await writeGiven(`${order.configFile}.bak`, existing.text, 0o600);
    }
    await writeGiven(order.configFile, text, 0o644);
  }
  await forgetUnenrolment(credentialsDir);
  return {
    agent_id: answer.agent_id,
    tenant: answer.tenant,
    config: order.configFile,
    credentials_dir: credentialsDir,
    cache_dir: paths.cache,
    source_url: answer.git.url,
  };
}

type ValidConfig = Extract<Awaited<ReturnType<typeof loadConfigFile>>, { kind: 'valid' }>['config'];

interface ExistingConfig {
  readonly text: string;
  /** Null: it cannot be used, and `--force` was given. */
  readonly config: ValidConfig | null;
  readonly credentialsDir: string | null;
}

/** The agent.yaml that is there. One of another tenant is found out before a token is spent on it. */
async function existingConfig(order: EnrolmentOrder, tenant: string): Promise<ExistingConfig | null> {
  const file = order.configFile;
  const loaded = await loadConfigFile(file);
  if (loaded.kind === 'missing') return null;
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw usage(`${file}: expected a file to read: ${error.message}`);
  });
  if (loaded.kind === 'invalid') {
    if (order.force) return { text, config: null, credentialsDir: null };
    throw usage(
      `${loaded.text}\n${file} is there and cannot be read: correct it, or replace it with --force`,
    );
  }
  const { config } = loaded;
  if (config.tenant !== tenant && !order.force) {
    throw usage(
      `${file}: expected a configuration for tenant ${tenant}, found one for ${config.tenant}; name another place with --config and --credentials-dir, or replace it with --force`,
    );
  }
  return { text, config, credentialsDir: configPath(config.credentials_dir, file) };
}

function expectSameAgent(existing: ExistingConfig | null, answer: EnrolAnswer, order: EnrolmentOrder): void {
  if (existing === null || order.force || existing.config?.agent_id === answer.agent_id) return;
  const found =
    existing.config?.agent_id === undefined ? 'none that was enrolled' : `agent ${existing.config.agent_id}`;
  throw usage(
    `${order.configFile}: expected a configuration of agent ${answer.agent_id}, found ${found}; name another place with --config, or replace it with --force (the same token serves again)`,
  );
}

function factsOf(
  answer: EnrolAnswer,
  claims: EnrolmentToken,
  order: EnrolmentOrder,
  credentialsDir: string,
): EnrolledFacts {
  return {
    tenant: answer.tenant,
    agentId: answer.agent_id,
    saasUrl: claims.saas_url,
    sourceUrl: answer.git.url,
    credentialsDir,
    root: join(credentialsDir, rootFileOf(answer.root)),
    tuf: looksLikeTufRoot(answer.root),
    cacheDir: order.cacheDir,
    artifactsAllow: answer.artifacts?.allow ?? null,
    artifactsEndpoint: answer.artifacts?.endpoint ?? null,
    tunnelUrl: answer.tunnel_url ?? null,
    caFile: order.caFile,
    proxy: order.proxy,
  };
}

/** agent.yaml as it will be, held to the schema before anything is written. */
function configText(
  existing: ExistingConfig | null,
  facts: EnrolledFacts,
  order: EnrolmentOrder,
  returns: boolean,
): { text: string; config: ValidConfig } {
  const same = existing?.config != null && (returns || existing.config.agent_id === facts.agentId);
  const text = same
    ? updatedConfigText(existing.text, existing.config, facts, order.configFile)
    : newConfigText(facts, order.configFile);
  const read = readConfigText(text);
  if ('config' in read) return { text, config: read.config };
  const message = `${facts.saasUrl}: expected an answer to make an agent.yaml of, found:\n${read.fault}`;
  throw new OperationError('unreachable', message, { exitCode: 5 });
}

/** An agent that remembers another root of trust would refuse every release under this one: it starts anew only when told to. */
async function expectMemory(
  root: string,
  paths: AgentPaths,
  force: boolean,
  signal: AbortSignal,
): Promise<void> {
  const fault = await memoryFault(root, paths);
  if (fault === null) return;
  if (force) return restartTrust(paths, signal);
  const message = `${fault}\nIf the root of trust was replaced on purpose, repeat the command with --force; if this is another agent, name another --cache-dir and --credentials-dir`;
  throw new OperationError('enrolment_refused', message, { exitCode: 3, details: { code: 'root_conflict' } });
}

/** Whose state this will most likely be, before the console has said who this is. */
function foreseenClaim(
  order: EnrolmentOrder,
  existing: ExistingConfig | null,
  tenant: string,
  credentials: string,
): StateClaim {
  const cache =
    order.cacheDir ?? configPath(existing?.config?.edge_cache_dir ?? DEFAULT_CACHE_DIR, order.configFile);
  const agentId = existing?.config?.agent_id;
  return { agent_id: agentId, tenant, config: order.configFile, credentials, state: join(cache, '.agent') };
}

async function expectCertificates(path: string): Promise<void> {
  const { bytes } = await readGiven(path, CA_FILE_MAX_BYTES);
  if (Buffer.from(bytes).includes('-----BEGIN CERTIFICATE-----')) return;
  throw usage(`${path}: expected PEM certificates (-----BEGIN CERTIFICATE-----), found none`);
}

function caAndProxy(
  order: EnrolmentOrder,
  existing: ExistingConfig | null,
): { caFile?: string; proxy?: string } {
  const { ca_file, proxy: written } = existing?.config?.network ?? {};
  const caFile = order.caFile ?? (ca_file === undefined ? null : configPath(ca_file, order.configFile));
  const proxy = order.proxy ?? written ?? null;
  return { ...(caFile === null ? {} : { caFile }), ...(proxy === null ? {} : { proxy }) };
}

function usage(message: string): OperationError {
  return new OperationError('usage', message, { exitCode: 2 });
}
