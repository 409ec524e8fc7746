import type { Unenrolment } from '../../agent/unenrolment.ts';
import type { Terminal } from '../terminal.ts';

/** How a machine leaves. */
export interface Way {
  readonly local: boolean;
  readonly purge: boolean;
}

export function whoLeaves({ agent_id: agentId, tenant }: Unenrolment): string {
  return agentId === null ? `an agent of ${tenant} without an id` : `agent ${agentId} of ${tenant}`;
}

/** What leaving comes to, of a dry run: what ends, who hears it, what changes, what goes and what stays. */
export function planOfLeaving(would: Unenrolment, way: Way): string[] {
  const { daemon, agent_id: agentId } = would;
  const rows: (readonly [string, string])[] = [
    ...(daemon === null
      ? []
      : [['end', `edge-agent ${daemon.verb} (process ${daemon.pid}), and its runs`] as const]),
    ['tell', toldOf(would, way)],
    ...would.changed.map((path) => ['change', `${path}: agent_id goes out of it`] as const),
    ...would.removed.map((path) => ['remove', path] as const),
    ...would.kept.map((path) => ['keep', path] as const),
  ];
  const purged = 'Versions, runs, flow secrets and everything this agent remembers are removed with it.';
  const lines = rows.map(([what, of]) => `  ${what.padEnd(8)} ${of}`);
  return way.purge && agentId !== null ? [...lines, purged] : lines;
}

function toldOf({ console, agent_id: agentId }: Unenrolment, { local }: Way): string {
  if (local) return `nobody: agent ${agentId} stays the agent on the other machine`;
  return console === 'to_be_told'
    ? `the console, which then takes nothing from agent ${agentId} any more`
    : 'nobody: there is no console to hear it, or it has heard it';
}

export function tellUnenrolment(done: Unenrolment, terminal: Terminal, way: Way): void {
  if (!done.was_enrolled) {
    terminal.line('This machine is not enrolled; there was nothing to do.');
    return;
  }
  if (done.dry_run) {
    terminal.line(`This machine is ${whoLeaves(done)}. Leaving would, and nothing of it was done:`);
    for (const line of planOfLeaving(done, way)) terminal.line(line);
    return;
  }
  terminal.line(`This machine is no agent of ${done.tenant} any more.`);
  terminal.line();
  const rows = [
    ...done.removed.map((path) => ['removed', path] as const),
    ...done.changed.map((path) => ['changed', path] as const),
    ...done.kept.map((path) => ['stays', path] as const),
  ];
  for (const [what, path] of rows) terminal.line(`  ${what.padEnd(8)} ${path}`);
  terminal.line();
  tellConsole(done, terminal, way);
  tellReports(done, terminal, way);
  terminal.line('Enrol it again with a new token: edge-agent enroll');
}

function tellConsole(done: Unenrolment, terminal: Terminal, { local }: Way): void {
  const { console, agent_id: agentId } = done;
  // whoever revokes the agent of a copy takes the machine out of service that is to stay
  if (local && console === 'not_told')
    terminal.line(
      `The console was told nothing: agent ${agentId} stays the agent on the other machine; do not revoke it.`,
    );
  else if (console === 'told') terminal.line(`The console takes nothing from agent ${agentId} any more.`);
  else if (console === 'knew') terminal.line(`The console had let agent ${agentId} go before.`);
  else if (console === 'not_told')
    terminal.note(
      `warning: the console was not told: ${done.console_message ?? 'no answer'}. Until it revokes agent ${agentId}, it waits for it.`,
    );
}

function tellReports(
  { reports_waiting: count, tenant }: Unenrolment,
  terminal: Terminal,
  { local, purge }: Way,
): void {
  if (count === 0 || purge) return;
  const reports = count === 1 ? '1 report' : `${count} reports`;
  const [was, go] = count === 1 ? ['was', 'it goes'] : ['were', 'they go'];
  const [kind, whose] = local ? ['note', ' of this copy'] : ['warning', ''];
  terminal.note(
    `${kind}: ${reports}${whose} ${was} not delivered; ${go} out when this machine is enrolled in ${tenant} again`,
  );
}
