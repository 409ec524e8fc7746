import { type Command, InvalidArgumentError } from 'commander';
import { withObserver } from '../agent-access.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { type Globals, globalsOf } from '../globals.ts';
import { renderRuns } from '../render/run.ts';
import { renderRunTimeline } from '../render/run-timeline.ts';

export function addRuns(program: Command): void {
  program
    .command('runs [run_id]')
    .description('list runs, newest first; or show one, from its trigger to its commit')
    .option('--flow <id>', 'only of this flow')
    .option('-n, --last <count>', 'how many', limit, 20)
    .action(async (runId: string | undefined, options: { flow?: string; last: number }, command: Command) => {
      const globals = globalsOf(command);
      if (runId !== undefined) return showRun(globals, runId);
      const { flow = null } = options;
      const runs = await withObserver(globals, (observer) => observer.runs(flow, options.last));
      globals.terminal.document(runs);
      renderRuns(runs, flow, globals.terminal, new Date());
    });
}

async function showRun(globals: Globals, runId: string): Promise<void> {
  const timeline = await withObserver(globals, (observer) => observer.timeline(runId));
  if (timeline === null) {
    const message = `expected the id of a run, found "${runId}"; "edge-agent runs" lists them`;
    throw new CommandFailure('run_unknown', message, EXIT.usage);
  }
  globals.terminal.document(timeline);
  renderRunTimeline(timeline, globals.terminal);
}

function limit(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 10_000) return value;
  throw new InvalidArgumentError(`expected a whole number of 1-10000, found "${text}"`);
}
