import type { Command } from 'commander';
import { type ControlPeer, controlPeer, createControlClient } from '../../agent/control-client.ts';
import { loadConfig, stateOfWrongConfig } from '../../agent/load-config.ts';
import type { Obstacles } from '../../agent/obstacles.ts';
import { OperationError } from '../../agent/operation-error.ts';
import { socketPath } from '../../agent/paths.ts';
import type { Status } from '../../schemas/status.ts';
import { withObserver } from '../agent-access.ts';
import { type Globals, globalsOf } from '../globals.ts';
import { renderParked } from '../render/reports.ts';
import { renderStatus } from '../render/status.ts';

/** Of what was refused, in a status for people. */
const PARKED_SHOWN = 5;

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('show what runs here, what should, and what is in the way')
    .action(async (_options, command: Command) => {
      const globals = globalsOf(command);
      const { status, peer, obstacles } = await look(globals);
      globals.terminal.document(status);
      const unenrolled = status.identity?.state === 'not_enrolled' && (await hasConsole(globals.config));
      const agent = agentLine(peer, unenrolled);
      renderStatus(status, globals.terminal, new Date(), { agent, obstacles, unenrolled });
      if (status.outbox.parked > 0)
        renderParked(await parkedReports(globals), status.outbox.parked, globals.terminal);
    });
}

async function parkedReports(globals: Globals) {
  return withObserver(globals, (observer) =>
    observer.reports({ parkedOnly: true, limit: PARKED_SHOWN }),
  ).catch(() => []);
}

/** An agent that reports to nobody needs no enrolment. */
async function hasConsole(configFile: string): Promise<boolean> {
  const loaded = await loadConfig(configFile).catch(() => null);
  return loaded?.config.saas_url !== undefined;
}

/** Ready says how it was at the last reconcile; whether somebody keeps it so is another matter. */
function agentLine(peer: ControlPeer | null, unenrolled: boolean): string {
  if (peer === null && unenrolled) return 'not running; "edge-agent enroll" comes before "edge-agent run"';
  if (peer === null) return 'not running; "edge-agent run" keeps this machine so';
  return `edge-agent ${peer.verb}, process ${peer.pid}`;
}

interface Seen {
  readonly status: Status;
  /** Who keeps this machine so. */
  readonly peer: ControlPeer | null;
  readonly obstacles: Obstacles;
}

async function look(globals: Globals): Promise<Seen> {
  const { signal } = globals;
  try {
    return await withObserver(globals, async (observer) => ({
      status: await observer.status(signal),
      peer: await observer.peer(signal),
      obstacles: await observer.obstacles(signal),
    }));
  } catch (error) {
    return lookAtDaemon(error, globals);
  }
}

/** A wrong agent.yaml stops no daemon: it works on with the last good one, and says so itself. */
async function lookAtDaemon(error: unknown, { config, signal }: Globals): Promise<Seen> {
  if (!(error instanceof OperationError) || error.code !== 'config_invalid') throw error;
  const state = await stateOfWrongConfig(config, signal);
  const socket = state === null ? null : socketPath(state);
  const peer = socket === null ? null : await controlPeer(socket, signal);
  if (socket === null || peer === null) throw error;
  const daemon = createControlClient(socket);
  return { status: await daemon.status({}, signal), peer, obstacles: await daemon.obstacles({}, signal) };
}
