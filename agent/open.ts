import { mkdir } from 'node:fs/promises';
import type { ProgressSink } from '../reconciler/ports.ts';
import { acquireLock } from '../store/state-lock.ts';
import { closeInheritedDescriptors } from '../system/inherited-descriptors.ts';
import type { Log } from '../system/log.ts';
import type { Executable } from './child-process.ts';
import { serveControl } from './control-server.ts';
import { toOperationError } from './explain-error.ts';
import { type LoadedConfig, loadConfig } from './load-config.ts';
import { OperationError } from './operation-error.ts';
import { type AgentPaths, agentPaths } from './paths.ts';
import { expectOwnState, noteOwner, stateClaim } from './state-owner.ts';
import { expectEnrolled } from './unenrolment-mark.ts';
import { type WiredAgent, wireAgent } from './wire.ts';

const COMMAND_GRACE_MS = 10 * 60_000;

export type WatchedProgress = ProgressSink;

export interface OpenOptions {
  readonly configFile: string;
  readonly executable: Executable;
  /** The command that opens it, for whoever finds the state locked. */
  readonly verb: string;
  readonly log: Log;
  readonly daemon: boolean;
  readonly lockWaitMs: number;
  readonly signal: AbortSignal;
  readonly progress?: ProgressSink;
}

export interface OpenAgent extends WiredAgent {
  readonly loaded: LoadedConfig;
  readonly paths: AgentPaths;
}

/**
 * The agent in this process: the configuration read, the state locked, the parts put together, the control socket served.
 * Throws OperationError `config_*` (exit 2), `locked` (exit 5) or `state_unusable` (exit 4).
 */
export async function openAgent(options: OpenOptions): Promise<OpenAgent> {
  const loaded = await loadConfig(options.configFile);
  const paths = agentPaths(loaded.config, options.configFile);
  if (options.verb !== 'unenroll') await expectEnrolled(paths.credentials, loaded.config);
  const claim = stateClaim(loaded.config, paths);
  await expectOwnState(claim, options.signal);
  // agent.yaml may have come through one of them
  closeInheritedDescriptors();
  await mkdir(paths.state, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw toOperationError(error);
  });
  const lock = await acquireLock(paths.lock, {
    holder: { pid: process.pid, verb: options.verb },
    waitMs: options.lockWaitMs,
    signal: options.signal,
  });
  if (lock.kind === 'held') throw lockedError(lock.by, paths);
  try {
    await expectOwnState(claim, options.signal, 'locked');
    // who leaves keeps the state for nobody
    if (options.verb !== 'unenroll') noteOwner(claim);
    const { executable, log, daemon, progress } = options;
    const wired = await wireAgent({
      loaded,
      paths,
      executable,
      log,
      daemon,
      ...(progress === undefined ? {} : { progress }),
    });
    const about = { verb: options.verb, tenant: loaded.config.tenant };
    // a command alone finishes what another one has handed to it meanwhile
    const grace = daemon ? [] : ([COMMAND_GRACE_MS] as const);
    const control = await serveControl(paths.socket, wired.operations, about, ...grace).catch(
      async (error: unknown) => {
        await wired.close();
        throw error;
      },
    );
    return {
      ...wired,
      loaded,
      paths,
      async close() {
        await control.close();
        await wired.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw toOperationError(error);
  }
}

export function lockedError(
  by: { pid: number; verb: string; since: string } | null,
  paths: AgentPaths,
): OperationError {
  const holder =
    by === null ? 'another process' : `process ${by.pid} ("edge-agent ${by.verb}", since ${by.since})`;
  const message = `expected the state in ${paths.state} to be free, found it locked by ${holder}; wait for it, or end it`;
  return new OperationError('locked', message, { exitCode: 5, details: by });
}
