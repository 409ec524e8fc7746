import type { RunTimeline } from '../../schemas/run-timeline.ts';
import { shortDigests, type Terminal } from '../terminal.ts';
import { renderEvent } from './event.ts';
import { RUN_COLOURS } from './run.ts';

/** One run for people: what it came from, then what happened, line by line. */
export function renderRunTimeline(run: RunTimeline, terminal: Terminal): void {
  const { paint } = terminal;
  const exit = run.exit_code === null ? '' : `, exit code ${run.exit_code}`;
  const attempt = run.attempt > 1 ? `, attempt ${run.attempt}` : '';
  terminal.line(
    `Run ${run.run_id} of flow ${run.flow}: ${paint(RUN_COLOURS[run.state], run.state)}${attempt}${exit}`,
  );
  const rows: [string, string | null][] = [
    ['Reason', run.state === 'succeeded' ? null : run.reason],
    ['Trigger', run.because ?? run.trigger],
    ['Version', run.version === null ? null : `${run.version}  ${shortDigests(run.sha256 ?? '')}`],
    ['Active since', run.activated?.time ?? null],
    ['Revision', run.revision === null ? null : shortDigests(run.revision)],
    [
      'Commit',
      run.commit === null ? null : `${run.commit.subject} (${run.commit.author}, ${run.commit.time})`,
    ],
  ];
  for (const [name, value] of rows)
    if (value !== null) terminal.line(`  ${paint('dim', name.padEnd(13))} ${value}`);
  terminal.line();
  for (const event of run.events) terminal.line(renderEvent(event, terminal));
  if (run.events.length === 0) terminal.line('Its events are no longer in the log.');
}
