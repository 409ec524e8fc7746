import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { type Console, type ConsoleOptions, createConsole } from '../../console/server.ts';
import type { EnrolAnswer } from '../../schemas/enrolment.ts';
import type { Event } from '../../schemas/event.ts';
import type { PrivateJwk } from '../../schemas/jws.ts';
import type { RunReport } from '../../schemas/run.ts';
import type { Status } from '../../schemas/status.ts';
import { createSystemClock } from '../../system/clock.ts';
import { serialiseDocument, signDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { newRoot } from '../../trust/ceremony/root-draft.ts';
import { type SpeakingProcess, signRequestToken } from '../../trust/request-token.ts';
import { publicPart } from '../../trust/thumbprint.ts';

export interface RunningConsole {
  readonly console: Console;
  readonly url: string;
  readonly apiKey: string;
  readonly directory: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A console on loopback with a data directory of its own; both go when it is disposed of. */
export async function startConsole(options: Partial<ConsoleOptions> = {}): Promise<RunningConsole> {
  const directory = await mkdtemp(join(tmpdir(), 'console-'));
  const remove = async () => rm(directory, { recursive: true, force: true });
  let console: Console | undefined;
  let url: string;
  let apiKey: string;
  try {
    console = await createConsole({
      dataDirectory: join(directory, 'data'),
      host: '127.0.0.1',
      port: 0,
      log: pino({ level: 'silent' }),
      clock: createSystemClock(),
      ...options,
    });
    url = await console.listen();
    apiKey = await console.admin.newApiKey('test');
  } catch (error) {
    await console?.close();
    await remove();
    throw error;
  }
  return {
    console,
    url,
    directory,
    apiKey,
    async [Symbol.asyncDispose]() {
      await console.close();
      await remove();
    },
  };
}

/** The text of a root document, signed by its one root key. */
export async function rootDocument(): Promise<string> {
  const rootKey = newKey();
  const releaseKey = newKey();
  const draft = newRoot({
    expires: '2099-01-01T00:00:00Z',
    keys: { root: [rootKey], release: [releaseKey] },
  });
  return serialiseDocument(await signDocument(draft, rootKey, 'edgeflows-root+jws'));
}

export async function addTenant(running: RunningConsole, slug: string) {
  return running.console.admin.addTenant({ slug, rootDocument: await rootDocument() });
}

export function withBasic(url: string, password: string, user = 'token'): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = password;
  return changed.href;
}

const run = promisify(execFile);

/** Real git, without the configuration of this machine. */
export async function git(cwd: string, ...args: string[]): Promise<string> {
  const env = {
    PATH: process.env['PATH'],
    HOME: cwd,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: 'Publisher',
    GIT_AUTHOR_EMAIL: 'publisher@example.com',
    GIT_COMMITTER_NAME: 'Publisher',
    GIT_COMMITTER_EMAIL: 'publisher@example.com',
    ...(process.env['TEST_GIT_TRACE'] === undefined ? {} : { GIT_TRACE_CURL: '1' }),
  };
  const { stdout, stderr } = await run('git', args, { cwd, env, maxBuffer: 64 * 1024 * 1024 });
  return stdout + stderr;
}

/** A work tree with one commit on `tenant/<slug>`; its remote is the console. */
export async function publish(
  running: RunningConsole,
  tenant: { slug: string; gitUrl: string; publisherToken: string },
  files: Record<string, string>,
): Promise<{ folder: string; commit: string }> {
  const folder = await mkdtemp(join(running.directory, 'work-'));
  await git(folder, 'init', '-q', '-b', `tenant/${tenant.slug}`);
  await git(folder, 'remote', 'add', 'origin', withBasic(tenant.gitUrl, tenant.publisherToken));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  await git(folder, 'add', '.');
  await git(folder, 'commit', '-q', '-m', 'Release');
  await git(folder, 'push', '-q', 'origin', 'HEAD');
  return { folder, commit: (await git(folder, 'rev-parse', 'HEAD')).trim() };
}

export interface Caller {
  readonly jwk: PrivateJwk;
  readonly issuer: string;
  /** Which process on which machine speaks. */
  readonly speaker?: SpeakingProcess;
}

/** One call with a fresh request token; `headers` win over what is made here. */
export async function call(
  caller: Caller,
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const token = await signRequestToken({ ...caller, method, url, now: new Date() });
  return fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

export interface EnrolledAgent extends Caller {
  readonly answer: EnrolAnswer;
}

export function enrolBody(token: string, jwk: PrivateJwk) {
  const device_jwk = publicPart(jwk);
  return { token, device_jwk, hostname: 'pc-1', os: 'linux', arch: 'x64', agent_version: '0.1.0' };
}

export async function enrolAgent(
  running: RunningConsole,
  slug: string,
  now = new Date(),
): Promise<EnrolledAgent> {
  const jwk = newKey();
  const token = await running.console.admin.makeEnrolmentToken({ slug });
  const [caller, url] = [{ jwk, issuer: jwk.kid }, `${running.url}/edge/enroll`];
  const proof = await signRequestToken({ ...caller, method: 'POST', url, now });
  const authorization = `Bearer ${proof}`;
  const response = await call(caller, 'POST', url, enrolBody(token, jwk), { authorization });
  if (response.status !== 201)
    throw new Error(`expected 201, found ${response.status}: ${await response.text()}`);
  const answer = (await response.json()) as EnrolAnswer;
  return { jwk, issuer: answer.agent_id, answer };
}

export function runReport(change: Partial<RunReport> = {}): RunReport {
  return {
    run_id: randomUUID(),
    stdout: 'hello\n',
    stderr: '',
    status: 'succeeded',
    attempt: 1,
    flow: 'invoice-bot',
    version: 'v1.0.7',
    sha256: 'a'.repeat(64),
    revision: `tenant/acme@sha1:${'b'.repeat(40)}`,
    trigger: 'local',
    exit_code: 0,
    reason: null,
    started_at: '2026-11-20T15:00:00Z',
    finished_at: '2026-11-20T15:00:01Z',
    truncated: { stdout: 0, stderr: 0 },
    outputs: [],
    ...change,
  };
}

export function statusOf(agent: EnrolledAgent, change: Partial<Status> = {}): Status {
  return {
    agent_id: agent.issuer,
    tenant: agent.answer.tenant,
    agent_version: '0.1.0',
    os: 'linux',
    arch: 'x64',
    labels: {},
    generated_at: '2026-11-20T15:00:00Z',
    trust: { mode: 'required', root_version: 1, seq: 1, release_expires: null },
    suspended: null,
    config: { digest: 'c', error: null },
    source: {
      kind: 'git',
      desired_revision: null,
      last_attempted_revision: null,
      last_applied_revision: null,
      last_sync_at: null,
      next_attempt_at: null,
      commit: null,
    },
    tunnel: { state: 'none', since: null },
    flows: [],
    conditions: [],
    runs: { running: 0, queued: 0, last: null },
    outbox: { pending: 0, oldest_at: null, parked: 0 },
    disk: { used: 0, free: 0 },
    clock_offset_ms: null,
    isolation: 'process',
    ...change,
  };
}

/** `count` chained events from `from`, as lines of the agent's own log would be. */
export function eventChain(
  agent: EnrolledAgent,
  logId: string,
  count: number,
  hash: (line: string) => string,
): Event[] {
  const events: Event[] = [];
  let prev = '0'.repeat(64);
  for (let seq = 1; seq <= count; seq += 1) {
    const event: Event = {
      log_id: logId,
      seq,
      time: '2026-11-20T15:00:00Z',
      tenant: agent.answer.tenant,
      agent_id: agent.issuer,
      severity: 'info',
      reason: 'AgentStarted',
      message: `event ${seq}`,
      prev,
    };
    events.push(event);
    prev = hash(JSON.stringify(event));
  }
  return events;
}
