import type { ReconcileAnswer } from '../../agent/operations.ts';
import type { Terminal } from '../terminal.ts';
import { short, verdict } from './status.ts';

/** What was done, then the verdict. */
export function renderReconcile(answer: ReconcileAnswer, terminal: Terminal): void {
  const { report } = answer;
  for (const { step, flow, version, because, outcome } of report.actions) {
    const mark = outcome === 'done' ? terminal.paint('green', '✔') : terminal.paint('red', '✘');
    terminal.line(`${mark} ${step} ${flow ?? ''} ${version ?? ''}  ${terminal.paint('dim', because)}`);
  }
  if (report.actions.length === 0 && answer.exit_code === 0) {
    terminal.line(`Nothing to do: ${short(report.source.last_applied_revision ?? '')} is what runs here.`);
  }
  // what is in the way is said on standard error
  if (answer.exit_code === 0) terminal.line(verdict(report, terminal));
}
