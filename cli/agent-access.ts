import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { type ControlPeer, controlPeer, createControlClient } from '../agent/control-client.ts';
import { loadConfig, stateOfWrongConfig } from '../agent/load-config.ts';
import type { Observer } from '../agent/observer.ts';
import { OperationError } from '../agent/operation-error.ts';
import type { AgentOperations } from '../agent/operations.ts';
import { agentPaths, socketPath } from '../agent/paths.ts';
import { expectOwnState, stateClaim } from '../agent/state-owner.ts';
import type { ClosableLog } from '../system/log.ts';
import type { Globals } from './globals.ts';
import { createTerminalProgress } from './progress.ts';
import { createRunNotes } from './run-notes.ts';

// What a command does not need is not loaded: a status behind the socket of a daemon is quick.

/** How long a command waits for another one that works on the same state. */
const LOCK_WAIT_MS = 3_000;

export const executable = {
  node: process.execPath,
  main: fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url)),
};

/**
 * The agent's operations: of the daemon when one runs, else of this process under the same lock. `peer` is null in the second
 * case; reports that are due are then tried once before the command ends.
 */
export async function withOperations(
  globals: Globals,
  verb: string,
  work: (operations: AgentOperations, peer: ControlPeer | null) => Promise<void>,
): Promise<void> {
  const { terminal, signal } = globals;
  const socket = await socketOf(globals);
  const peer = await controlPeer(socket, signal);
  if (peer !== null) return work(createControlClient(socket), peer);
  await loadConfig(globals.config);
  const [{ openAgent }, { toOperationError }] = await Promise.all([
    import('../agent/open.ts'),
    import('../agent/explain-error.ts'),
  ]);
  const log = await quietLog(globals);
  const agent = await openAgent({
    configFile: globals.config,
    executable,
    verb,
    log,
    daemon: false,
    lockWaitMs: LOCK_WAIT_MS,
    signal,
    progress: createTerminalProgress(terminal),
  });
  try {
    await work(agent.operations, null);
    terminal.clearProgress();
    await agent.outbox.flushOnce({ signal });
  } catch (error) {
    throw toOperationError(error);
  } finally {
    terminal.clearProgress();
    await agent.close();
    log.close();
  }
}

/** Of a command: what it does it shows itself. */
export async function quietLog({ verbose }: Globals): Promise<ClosableLog> {
  const { createLog } = await import('../system/log.ts');
  return createLog({ level: verbose ? 'debug' : 'error', dir: null, maxFiles: 1, maxBytes: 1, tty: true });
}

/** A wrong agent.yaml stops no daemon: it works on with the last good one and can be talked to. */
async function socketOf(globals: Globals): Promise<string> {
  try {
    const { config } = await loadConfig(globals.config);
    const paths = agentPaths(config, globals.config);
    await expectOwnState(stateClaim(config, paths), globals.signal);
    return paths.socket;
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== 'config_invalid') throw error;
    const state = await stateOfWrongConfig(globals.config, globals.signal);
    if (state === null || (await controlPeer(socketPath(state), globals.signal)) === null) throw error;
    globals.terminal.note(`warning: the agent works with the last good configuration: ${error.message}`);
    return socketPath(state);
  }
}

export async function withObserver<T>(
  globals: Globals,
  work: (observer: Observer) => T | Promise<T>,
): Promise<T> {
  const { openObserver } = await import('../agent/observer.ts');
  const observer = await openObserver(globals.config, globals.signal);
  try {
    return await work(observer);
  } finally {
    observer.close();
  }
}

export async function runDaemon(globals: Globals): Promise<void> {
  // What waits nearly all of its life needs no optimising compiler of the second degree: the code of that alone is 6 MB.
  setFlagsFromString('--no-opt');
  const { config } = await loadConfig(globals.config);
  const paths = agentPaths(config, globals.config);
  const [{ runDaemon: daemon }, { createLog }, { platformLogDir }] = await Promise.all([
    import('../agent/daemon.ts'),
    import('../system/log.ts'),
    import('../system/log-directory.ts'),
  ]);
  const watched = process.stderr.isTTY && !globals.terminal.json;
  const log = createLog({
    level: globals.verbose ? 'debug' : config.log.level,
    dir: paths.log ?? platformLogDir(),
    maxFiles: config.log.max_files,
    maxBytes: config.log.max_size,
    tty: watched,
  });
  try {
    const { config: configFile, signal, hurry } = globals;
    const notes = createRunNotes(globals.terminal, () => new Date());
    const because = await daemon({
      configFile,
      executable,
      log,
      lockWaitMs: LOCK_WAIT_MS,
      signal,
      hurry,
      onRunning({ agent_id = null, tenant }) {
        if (watched) log.info(`this log is kept in ${log.file ?? 'no file'}`);
        else notes.running({ agent_id, tenant, config: configFile, log: log.file });
      },
    });
    log.info(`edge-agent has stopped: ${because}`);
    if (!watched) notes.ended(because);
  } finally {
    log.close();
  }
}
