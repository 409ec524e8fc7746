import { fileURLToPath } from 'node:url';
import { controlPeer, type ControlPeer, createControlClient } from '../agent/control-client.ts';
import { runDaemon as daemon } from '../agent/daemon.ts';
import { loadConfig } from '../agent/load-config.ts';
import { type Observer, openObserver } from '../agent/observer.ts';
import { openAgent } from '../agent/open.ts';
import type { AgentOperations } from '../agent/operations.ts';
import { agentPaths } from '../agent/paths.ts';
import { createLog } from '../system/log.ts';
import { platformLogDir } from '../system/log-directory.ts';
import type { Globals } from './globals.ts';
import { createTerminalProgress } from './progress.ts';

/** How long a command waits for another one that works on the same state. */
const LOCK_WAIT_MS = 3_000;

const executable = { node: process.execPath, main: fileURLToPath(new URL('./main.ts', import.meta.url)) };

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
  const { config } = await loadConfig(globals.config);
  const { socket } = agentPaths(config, globals.config);
  const peer = await controlPeer(socket, signal);
  if (peer !== null) return work(createControlClient(socket), peer);
  const log = createLog({
    level: globals.verbose ? 'debug' : 'error',
    dir: null,
    maxFiles: 1,
    maxBytes: 1,
    tty: true,
  });
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
  } finally {
    terminal.clearProgress();
    await agent.close();
    log.close();
  }
}

export async function withObserver<T>(globals: Globals, work: (observer: Observer) => T | Promise<T>): Promise<T> {
  const observer = await openObserver(globals.config);
  try {
    return await work(observer);
  } finally {
    observer.close();
  }
}

export async function runDaemon(globals: Globals): Promise<void> {
  const { config } = await loadConfig(globals.config);
  const paths = agentPaths(config, globals.config);
  const log = createLog({
    level: globals.verbose ? 'debug' : config.log.level,
    dir: paths.log ?? platformLogDir(),
    maxFiles: config.log.max_files,
    maxBytes: config.log.max_size,
    tty: process.stderr.isTTY === true,
  });
  try {
    await daemon({ configFile: globals.config, executable, log, lockWaitMs: LOCK_WAIT_MS, signal: globals.signal });
  } finally {
    log.close();
  }
}
