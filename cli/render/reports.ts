import type { WaitingReport } from '../../agent/waiting-report.ts';
import { ago, shortDigests, type Terminal, table } from '../terminal.ts';

/** What waits for the console, for people. */
export function renderReports(reports: readonly WaitingReport[], terminal: Terminal, now: Date): void {
  if (reports.length === 0) {
    terminal.line('Nothing waits for the console.');
    return;
  }
  const rows = reports.map((report) => [
    nameOf(report),
    report.state === 'parked' ? terminal.paint('red', 'parked') : 'waiting',
    ago(now.getTime() - Date.parse(report.since)),
    String(report.attempts),
    shortDigests(report.message ?? ''),
  ]);
  for (const line of table(['what', 'state', 'since', 'tries', 'why'], rows, terminal.width))
    terminal.line(line);
}

/** A line for each of what was refused, below the status; the rest is counted. */
export function renderParked(parked: readonly WaitingReport[], total: number, terminal: Terminal): void {
  for (const report of parked)
    terminal.line(
      terminal.paint('yellow', `parked: ${nameOf(report)}: ${shortDigests(report.message ?? '')}`),
    );
  if (total > parked.length)
    terminal.line(
      terminal.paint('yellow', `parked: ${total - parked.length} more; "edge-agent retry --list" shows them`),
    );
}

function nameOf({ kind, key, run_id }: WaitingReport): string {
  if (kind === 'notify') return `run ${run_id}`;
  if (kind === 'upload')
    return key.startsWith('request/') ? `documents of run ${run_id}` : `file ${key.slice(5)}`;
  return kind === 'events' ? 'events' : kind;
}
