import { acquireLock } from '../store/state-lock.ts';
import type { Log } from '../system/log.ts';
import type { Executable } from './child-process.ts';
import { errorIn } from './console-answer.ts';
import { type ControlPeer, controlPeer, createControlClient } from './control-client.ts';
import { type LoadedConfig, loadConfig } from './load-config.ts';
import { lockedError, openAgent } from './open.ts';
import { OperationError } from './operation-error.ts';
import { type AgentPaths, agentPaths } from './paths.ts';
import { expectOwnState, forgetOwner, stateClaim } from './state-owner.ts';
import { markUnenrolled, unenrolmentMark } from './unenrolment-mark.ts';
import { purgeAgent, remainsOf, removeCredentials, takeOutAgentId } from './unenrolment-remains.ts';

/** A daemon ends its runs, each within `runs.grace`, and says goodbye. */
const STOP_WAIT_MS = 60_000;
/** A service manager may have started it again in between. */
const STOPS_MAX = 3;
const DELIVERY_MS = 5_000;
/** By these words the console has no such agent any more. A bare 401 may be of anybody on the way, such as a proxy. */
const LET_GO: ReadonlySet<unknown> = new Set([
  'agent_revoked',
  'key_retired',
  'key_unknown',
  'signature_invalid',
]);

export interface UnenrolmentOrder {
  readonly configFile: string;
  readonly executable: Executable;
  readonly log: Log;
  /** Goes on where the console cannot be told. */
  readonly force: boolean;
  /** Tells the console nothing: this machine is a copy of another one, which keeps the identity. */
  readonly local: boolean;
  /** Removes versions, state, trust and secrets too. */
  readonly purge: boolean;
  /** Says what would be done. */
  readonly dryRun: boolean;
  readonly now: () => Date;
  readonly onProgress: (text: string) => void;
}

export interface Unenrolment {
  readonly dry_run: boolean;
  /** False: there was nothing to do. */
  readonly was_enrolled: boolean;
  readonly agent_id: string | null;
  readonly tenant: string;
  /**
   * `told`; `knew`: it had revoked the agent, or does not know it; `not_told`: see `console_message`; `none`: there is none;
   * `to_be_told`: of a dry run alone.
   */
  readonly console: 'told' | 'knew' | 'not_told' | 'none' | 'to_be_told';
  readonly console_message: string | null;
  /** Reports that were not delivered. They wait, and go out when this machine is enrolled in this tenant again. */
  readonly reports_waiting: number;
  /** Who works here, and ends: of a dry run alone. */
  readonly daemon: ControlPeer | null;
  /** Files that agent_id goes out of. */
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly kept: readonly string[];
}

interface Farewell {
  readonly console: Unenrolment['console'];
  readonly message: string | null;
  readonly waiting: number;
}

/**
 * This machine is an agent no more: ends what runs, delivers what is due, tells the console, removes the credentials and takes
 * agent_id out of agent.yaml. Every step can be repeated, and an unenrolment that was cut short is finished by the next one.
 * Throws OperationError: exit 5 when the console cannot be told (nothing is lost then) or the state is not to be had.
 */
export async function unenrol(order: UnenrolmentOrder, signal: AbortSignal): Promise<Unenrolment> {
  const loaded = await loadConfig(order.configFile);
  const paths = agentPaths(loaded.config, order.configFile);
  const mark = await unenrolmentMark(paths.credentials, loaded.config);
  const agentId = loaded.config.agent_id ?? mark?.agent_id ?? null;
  const facts = { dry_run: order.dryRun, agent_id: agentId, tenant: loaded.config.tenant };
  const changed = loaded.config.agent_id === undefined ? [] : [order.configFile];
  const { removed, kept } = await remainsOf(paths, loaded.config.tenant, order.purge);
  const there = { changed, removed, kept: kept.filter((path) => !changed.includes(path)) };
  const done =
    mark?.stage !== 'leaving' && there.removed.length === 0 && loaded.config.agent_id === undefined;
  const known = { console: 'none', console_message: null, reports_waiting: 0, daemon: null } as const;
  if (done) return { ...facts, ...known, was_enrolled: false, ...there };
  // else this would end the agent whose state it is
  await expectOwnState({ ...stateClaim(loaded.config, paths), agent_id: agentId }, signal);
  if (order.dryRun) {
    const daemon = await controlPeer(paths.socket, signal);
    const tells = tellsConsole(order, loaded.config) && mark === null;
    return {
      ...facts,
      ...known,
      was_enrolled: true,
      daemon,
      ...(tells ? { console: 'to_be_told' } : {}),
      ...there,
    };
  }

  let farewell: Farewell = { console: 'none', message: null, waiting: 0 };
  if (mark === null) {
    farewell = await sayFarewell(order, loaded, paths, signal);
    const at = order.now().toISOString();
    if (agentId !== null) {
      await markUnenrolled(paths.credentials, {
        agent_id: agentId,
        tenant: facts.tenant,
        at,
        stage: 'leaving',
      });
    }
  }
  order.onProgress('removing the credentials …');
  await underLock(paths, signal, async () => {
    await removeCredentials(paths);
    forgetOwner(paths.state);
    await takeOutAgentId(order.configFile);
  });
  if (order.purge) await purgeAgent(paths, loaded.config.tenant);
  if (agentId !== null) {
    const at = mark?.at ?? order.now().toISOString();
    await markUnenrolled(paths.credentials, { agent_id: agentId, tenant: facts.tenant, at, stage: 'left' });
  }
  return {
    ...facts,
    was_enrolled: true,
    console: farewell.console,
    console_message: farewell.message,
    reports_waiting: farewell.waiting,
    daemon: null,
    ...there,
  };
}

function tellsConsole(order: UnenrolmentOrder, config: LoadedConfig['config']): boolean {
  return !order.local && config.saas_url !== undefined && config.agent_id !== undefined;
}

/** Ends the daemon, delivers what is due, and tells the console. Nothing of the credentials is touched. */
async function sayFarewell(
  order: UnenrolmentOrder,
  { config }: LoadedConfig,
  paths: AgentPaths,
  signal: AbortSignal,
): Promise<Farewell> {
  await stopDaemon(order, paths, signal);
  let agent: Awaited<ReturnType<typeof openAgent>>;
  try {
    agent = await openAgent({
      configFile: order.configFile,
      executable: order.executable,
      verb: 'unenroll',
      log: order.log,
      daemon: false,
      lockWaitMs: STOP_WAIT_MS,
      signal,
    });
  } catch (error) {
    // a state that cannot be opened has nothing more to deliver, and no key to sign a farewell with may be left
    if (!(error instanceof OperationError) || error.code === 'locked') throw error;
    return notTold(order, error.message, 0);
  }
  try {
    const because = order.local
      ? 'this machine is a copy of another one, which stays an agent'
      : 'edge-agent unenroll';
    agent.deps().events.emit({
      severity: 'info',
      reason: 'AgentUnenrolled',
      message: 'this machine is an agent no more',
      because,
    });
    const waiting = () => agent.waitingReports();
    if (!tellsConsole(order, config)) {
      const why = order.local && config.saas_url !== undefined ? 'it was not to be told (--local)' : null;
      return { console: why === null ? 'none' : 'not_told', message: why, waiting: waiting() };
    }
    order.onProgress('delivering what is due …');
    await agent.outbox.flushOnce({ deadlineMs: DELIVERY_MS, signal });
    order.onProgress('telling the console …');
    const answer = await agent.identity.leave(signal);
    if (answer === null) return notTold(order, `no device key in ${paths.credentials}`, waiting());
    if (answer.kind === 'no_answer') return notTold(order, answer.message, waiting());
    const { status, body } = answer;
    const said = errorIn(body);
    if (status === 200) return { console: 'told', message: null, waiting: waiting() };
    if ((status === 401 || status === 403) && LET_GO.has(said?.code)) {
      return { console: 'knew', message: said?.message ?? null, waiting: waiting() };
    }
    const found = `POST /edge/unenroll: expected 200, found ${status}${said?.message == null ? '' : `: ${said.message}`}`;
    if (status === 404 || status === 405 || status === 501) {
      const message = `it does not know how an agent takes its leave (${found}); have it revoke ${config.agent_id}`;
      return { console: 'not_told', message, waiting: waiting() };
    }
    return notTold(order, found, waiting());
  } finally {
    await agent.close();
  }
}

/** Ends the command (exit 5) with nothing lost, unless it was told to go on. */
function notTold(order: UnenrolmentOrder, message: string, waiting: number): Farewell {
  if (order.force || order.local) return { console: 'not_told', message, waiting };
  throw new OperationError(
    'unreachable',
    `expected the console to hear that this machine leaves, found: ${message}; nothing was removed: repeat the command later, or leave without telling it: --force`,
    { exitCode: 5 },
  );
}

async function stopDaemon(order: UnenrolmentOrder, paths: AgentPaths, signal: AbortSignal): Promise<void> {
  for (let stops = 0; stops < STOPS_MAX; stops += 1) {
    const peer = await controlPeer(paths.socket, signal);
    if (peer === null) return;
    if (peer.verb === 'run') {
      order.onProgress(`ending the agent (process ${peer.pid}) …`);
      await createControlClient(paths.socket).stop({ why: 'this machine is unenrolled' }, signal);
    }
    await underLock(paths, signal, async () => {});
  }
}

async function underLock(paths: AgentPaths, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const lock = await acquireLock(paths.lock, {
    holder: { pid: process.pid, verb: 'unenroll' },
    waitMs: STOP_WAIT_MS,
    signal,
  });
  if (lock.kind === 'held') throw lockedError(lock.by, paths);
  try {
    await work();
  } finally {
    lock.release();
  }
}
