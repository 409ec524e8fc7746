import type { DiffAnswer } from '../../agent/operations.ts';
import { type Terminal, table } from '../terminal.ts';
import { heldIn, short } from './status.ts';

export function renderDiff(diff: DiffAnswer, terminal: Terminal): void {
  if (diff.changes.length === 0) {
    if (diff.problems.length === 0)
      terminal.line(`Nothing to do: ${short(diff.revision ?? '')} is what runs here${heldIn(diff.status)}.`);
    return;
  }
  terminal.line(`${short(diff.revision ?? '')} would change:`);
  const rows = diff.changes.map(({ flow, change, from, to, because }) => [
    flow,
    terminal.paint(change === 'blocked' ? 'red' : 'yellow', change),
    from ?? '-',
    to ?? '-',
    because,
  ]);
  for (const line of table(['flow', 'change', 'from', 'to', 'because'], rows, terminal.width))
    terminal.line(line);
}
