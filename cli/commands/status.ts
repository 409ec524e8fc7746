import type { Command } from 'commander';
import { controlPeer, createControlClient } from '../../agent/control-client.ts';
import { stateOfWrongConfig } from '../../agent/load-config.ts';
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
      const status = await withObserver(globals, (observer) => observer.status(globals.signal)).catch(
        (error: unknown) => statusOfDaemon(error, globals),
      );
      globals.terminal.document(status);
      renderStatus(status, globals.terminal, new Date(), await agentLine(globals));
      if (status.outbox.parked > 0)
        renderParked(await parkedReports(globals), status.outbox.parked, globals.terminal);
    });
}

async function parkedReports(globals: Globals) {
  return withObserver(globals, (observer) =>
    observer.reports({ parkedOnly: true, limit: PARKED_SHOWN }),
  ).catch(() => []);
}

/** Ready says how it was at the last reconcile; whether somebody keeps it so is another matter. */
async function agentLine(globals: Globals): Promise<string> {
  const peer = await withObserver(globals, (observer) => observer.peer(globals.signal)).catch(() => null);
  if (peer === null) return 'not running; "edge-agent run" keeps this machine so';
  return `edge-agent ${peer.verb}, process ${peer.pid}`;
}

/** A wrong agent.yaml stops no daemon: it works on with the last good one, and says so itself. */
async function statusOfDaemon(error: unknown, { config, signal }: Globals): Promise<Status> {
  if (!(error instanceof OperationError) || error.code !== 'config_invalid') throw error;
  const state = await stateOfWrongConfig(config);
  const socket = state === null ? null : socketPath(state);
  if (socket === null || (await controlPeer(socket, signal)) === null) throw error;
  return createControlClient(socket).status({}, signal);
}
