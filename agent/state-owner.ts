import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { AgentConfig } from '../schemas/agent-config.ts';
import { acquireLock } from '../store/state-lock.ts';
import { parseJson } from '../system/json-document.ts';
import { readSmallFile } from '../system/small-file.ts';
import { parseYaml } from '../system/yaml-document.ts';
import { controlPeer } from './control-client.ts';
import { OperationError } from './operation-error.ts';
import { type AgentPaths, configPath, socketPath } from './paths.ts';

const OWNER_FILE = 'owner.json';
const MAX_BYTES = 16_384;
const CONFIG_MAX_BYTES = 256 * 1_024;

/** `<state>/owner.json`: whose state this is. Written by an enrolment, and by whoever works on the state under its lock. */
const StateOwner = z.object({
  format: z.literal(1),
  /** Null: of an agent without a console. */
  agent_id: z.string().nullable(),
  tenant: z.string(),
  config: z.string(),
  credentials: z.string(),
});
export type StateOwner = Omit<z.infer<typeof StateOwner>, 'format'>;

/** Who comes to a state folder, by its agent.yaml. `agent_id` undefined: not known before the console has answered. */
export interface StateClaim extends Omit<StateOwner, 'agent_id'> {
  readonly agent_id: string | null | undefined;
  readonly state: string;
}

/** Another agent, whose state this is. */
export interface OtherOwner extends StateOwner {
  /** The process that works on it now, where one does and says which. */
  readonly pid: number | null;
  /** Its agent.yaml names this state still; else nothing but a running agent keeps it. */
  readonly named: boolean;
}

export function stateClaim(
  config: Pick<AgentConfig, 'agent_id' | 'tenant'>,
  paths: Pick<AgentPaths, 'config' | 'credentials' | 'state'>,
): StateClaim {
  const { config: file, credentials, state } = paths;
  return { agent_id: config.agent_id ?? null, tenant: config.tenant, config: file, credentials, state };
}

/**
 * The other agent that a state belongs to; null when it is this one's or nobody's. It is this one's with the same agent_id, and with
 * the same agent.yaml or credentials, which a new enrolment may have given another agent_id. An owner counts for as long as
 * its agent.yaml names it and this state, or it is at work: one that was unenrolled or has moved on keeps nobody out. Who is at
 * work is asked at the control socket (`ask`); an agent may be too busy to answer, and then its lock tells (`try_lock`); nobody else is
 * while whoever calls this holds it (`locked`).
 */
export async function otherOwner(
  claim: StateClaim,
  signal: AbortSignal,
  atWork: 'ask' | 'try_lock' | 'locked' = 'ask',
): Promise<OtherOwner | null> {
  const owner = await stateOwner(claim.state);
  if (owner === null || owner.agent_id === claim.agent_id) return null;
  if (await samePlace(owner.config, claim.config)) return null;
  if (await samePlace(owner.credentials, claim.credentials)) return null;
  const named = await stillNames(owner, claim.state);
  if (atWork === 'locked') return named ? { ...owner, pid: null, named } : null;
  const peer = await controlPeer(socketPath(claim.state), signal).catch(() => null);
  signal.throwIfAborted();
  if (named || peer !== null) return { ...owner, pid: peer?.pid ?? null, named };
  if (atWork === 'ask') return null;
  const lock = await acquireLock(join(claim.state, 'lock'), {
    holder: { pid: process.pid, verb: 'look' },
    waitMs: 0,
    signal,
  });
  if (lock.kind === 'held') return { ...owner, pid: lock.by?.pid ?? null, named };
  lock.release();
  return null;
}

/** Throws `usage` (exit 2) when the state that agent.yaml names is another agent's, with both of them and the way out. */
export async function expectOwnState(
  claim: StateClaim,
  signal: AbortSignal,
  atWork: 'ask' | 'locked' = 'ask',
): Promise<void> {
  const other = await otherOwner(claim, signal, atWork);
  if (other === null) return;
  const message = `${notOurs(claim, other)}; ${wayOut(claim, other)}`;
  throw new OperationError('usage', message, { exitCode: 2, details: ownerDetails(claim, other) });
}

/** "this agent.yaml is agent b of acme (/two/agent.yaml); the state in /EdgeFlows is agent a's of acme (/one/agent.yaml)" */
export function notOurs(claim: StateClaim, other: OtherOwner): string {
  const mine = claim.agent_id == null ? 'of no enrolled agent' : `agent ${claim.agent_id} of ${claim.tenant}`;
  return `this agent.yaml is ${mine} (${claim.config}); the state in ${dirname(claim.state)} is ${belongsTo(other)}`;
}

/** What a person does about two agents with one folder. */
export function wayOut(claim: StateClaim, other: OtherOwner): string {
  return `give this one a folder of its own, such as "edge_cache_dir: ./EdgeFlows" in ${claim.config}; or ${endOther(other)}`;
}

/** "agent a's of acme (/one/agent.yaml), which process 12 works on" */
export function belongsTo({ agent_id: id, tenant, config, pid }: OtherOwner): string {
  const whose = id === null ? `that of an agent without a console` : `agent ${id}'s`;
  const atWork = pid === null ? '' : `, which process ${pid} works on`;
  return `${whose} of ${tenant} (${config})${atWork}`;
}

export function endOther({ agent_id: id, config, pid, named }: OtherOwner): string {
  if (!named) return `end process ${pid ?? 'that works there'}, whose agent.yaml names it no more`;
  if (id === null) return `take ${config} out of use`;
  return `unenroll the other one first: edge-agent unenroll --config ${config}`;
}

export function ownerDetails({ state }: StateClaim, { agent_id, config }: OtherOwner): unknown {
  return { cache_dir: dirname(state), agent_id, config };
}

/** Writes down whose state this is. Whoever calls this holds its lock. A disk that takes no file costs the note, not the agent. */
export function noteOwner(claim: StateClaim): void {
  const { state, agent_id: id = null, tenant, config, credentials } = claim;
  const path = join(state, OWNER_FILE);
  const text = `${JSON.stringify({ format: 1, agent_id: id, tenant, config, credentials }, null, 2)}\n`;
  try {
    if (readIfThere(path) === text) return;
    const temporary = `${path}.${process.pid}`;
    rmSync(temporary, { force: true });
    writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' });
    renameSync(temporary, path);
  } catch {
    // That of the agent before would keep this one's own verbs out.
    for (const each of [`${path}.${process.pid}`, path]) removeIfPossible(each);
  }
}

/** This agent leaves: the state is nobody's. Whoever calls this holds its lock. */
export function forgetOwner(state: string): void {
  rmSync(join(state, OWNER_FILE), { force: true });
}

/** Null where nothing says so: a state without a note, or one that cannot be read. */
export async function stateOwner(state: string): Promise<StateOwner | null> {
  const file = await readSmallFile(join(state, OWNER_FILE), MAX_BYTES).catch(() => null);
  if (file?.kind !== 'read') return null;
  const text = Buffer.from(file.bytes).toString('utf8');
  const parsed = parseJson(text, StateOwner, { maxBytes: MAX_BYTES });
  return parsed.kind === 'valid' ? parsed.value : null;
}

/** What counts here of an agent.yaml, also of one that is wrong elsewhere. */
const Named = z.looseObject({
  agent_id: z.string().nullable().default(null),
  saas_url: z.string().nullable().default(null),
  edge_cache_dir: z.string().default('~/EdgeFlows'),
});

async function stillNames(owner: StateOwner, state: string): Promise<boolean> {
  let text: string;
  let isAnothers = false;
  try {
    const found = await stat(owner.config);
    // a pipe that a shell made was its agent.yaml only once
    if (!found.isFile()) return false;
    isAnothers = process.getuid !== undefined && found.uid !== process.getuid();
    const file = await readSmallFile(owner.config, CONFIG_MAX_BYTES);
    if (file.kind !== 'read') return file.kind === 'too_large';
    text = Buffer.from(file.bytes).toString('utf8');
  } catch (error) {
    // one that may not be read is there
    return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
  const parsed = parseYaml(text, Named);
  if (parsed.kind === 'invalid') return true;
  const { agent_id: id, saas_url: saasUrl, edge_cache_dir: cache } = parsed.value;
  // unenrolled: it has a console, and is nobody there
  if (id !== owner.agent_id || (id === null && saasUrl !== null)) return false;
  // Whose home that is only they know.
  if (isAnothers && cache.startsWith('~')) return true;
  return samePlace(join(configPath(cache, owner.config), '.agent'), state);
}

async function samePlace(one: string, other: string): Promise<boolean> {
  if (one === other) return true;
  const [a, b] = await Promise.all([one, other].map((path) => realpath(path).catch(() => path)));
  return a === b;
}

function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // What can be neither written nor removed costs the note, not the agent.
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
