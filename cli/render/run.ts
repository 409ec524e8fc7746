import type { RunReport, RunSummary } from '../../schemas/run.ts';
import { ago, bytes, type Terminal, table } from '../terminal.ts';

export const RUN_COLOURS = {
  succeeded: 'green',
  running: 'cyan',
  queued: 'cyan',
  failed: 'red',
  timed_out: 'red',
  lost: 'red',
  cancelled: 'yellow',
} as const;

/** The body that goes to `/edge/notify`, for people: output first, as the flow printed it, then how it ended. */
export function renderRunReport(report: RunReport, terminal: Terminal): void {
  const { paint } = terminal;
  if (report.stdout !== '') terminal.line(report.stdout.trimEnd());
  if (report.stderr !== '') terminal.line(paint('dim', report.stderr.trimEnd()));
  const took =
    report.started_at === null
      ? ''
      : ` in ${Date.parse(report.finished_at) - Date.parse(report.started_at)} ms`;
  const state = paint(RUN_COLOURS[report.status], report.status);
  terminal.line(`${report.flow} ${report.version ?? ''}: ${state}${took}  (run ${report.run_id})`);
  for (const output of report.outputs) terminal.line(`  output ${output.name}  ${bytes(output.size)}`);
  const { stdout, stderr } = report.truncated;
  if (stdout + stderr > 0)
    terminal.line(paint('yellow', `  ${bytes(stdout + stderr)} of output were not kept`));
}

/** `flow`: the one they were asked of. */
export function renderRuns(
  runs: readonly RunSummary[],
  flow: string | null,
  terminal: Terminal,
  now: Date,
): void {
  if (runs.length === 0) {
    const of = flow === null ? '' : ` of ${flow}`;
    return terminal.line(`No runs${of} yet. Start one: edge-agent trigger ${flow ?? '<flow>'}`);
  }
  const rows = runs.map((run) => [
    run.run_id,
    run.flow,
    run.version ?? '-',
    terminal.paint(RUN_COLOURS[run.state], run.state),
    run.trigger,
    run.exit_code === null ? '-' : String(run.exit_code),
    ago(now.getTime() - Date.parse(run.started_at ?? run.queued_at)),
    run.state === 'succeeded' ? '' : (run.reason ?? ''),
  ]);
  const header = ['run', 'flow', 'version', 'state', 'trigger', 'exit', 'started', 'reason'];
  for (const line of table(header, rows, terminal.width)) terminal.line(line);
}
