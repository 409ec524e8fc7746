import type { ReconcileAnswer, Released } from '../../agent/operations.ts';
import type { Terminal } from '../terminal.ts';
import { short, verdict } from './status.ts';

/** What was done, then the verdict; `released` is what a retry let go before. */
export function renderReconcile(
  answer: ReconcileAnswer,
  terminal: Terminal,
  released: Released | null = null,
): void {
  const told = released === null ? [] : releasedLines(released);
  for (const line of told) terminal.line(line);
  const { report } = answer;
  for (const { step, flow, version, because, outcome } of report.actions) {
    const mark = outcome === 'done' ? terminal.paint('green', '✔') : terminal.paint('red', '✘');
    terminal.line(`${mark} ${step} ${flow ?? ''} ${version ?? ''}  ${terminal.paint('dim', because)}`);
  }
  if (report.actions.length === 0 && answer.exit_code === 0 && told.length === 0) {
    terminal.line(`Nothing to do: ${short(report.source.last_applied_revision ?? '')} is what runs here.`);
  }
  // what is in the way of a reconcile is said on standard error
  const applied = answer.problems.every(({ kind }) => kind === 'unhealthy');
  if (applied) terminal.line(verdict(report, terminal));
}

function releasedLines({ quarantined, waiting, reports }: Released): string[] {
  return [
    ...(quarantined.length === 0 ? [] : [`${quarantined.join(', ')}: no longer quarantined`]),
    ...(waiting.length === 0 ? [] : [`${waiting.join(', ')}: tried again at once`]),
    ...(reports === 0
      ? []
      : [`${reports} refused ${reports === 1 ? 'report is' : 'reports are'} sent again`]),
  ];
}
