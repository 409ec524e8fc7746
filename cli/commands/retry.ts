import type { Command } from 'commander';
import { withObserver, withOperations } from '../agent-access.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { type Globals, globalsOf } from '../globals.ts';
import { endWith } from '../outcome.ts';
import { renderReconcile } from '../render/reconcile.ts';
import { renderReports } from '../render/reports.ts';

const LISTED_MAX = 10_000;

export function addRetry(program: Command): void {
  program
    .command('retry [flow]')
    .description('forget quarantines and backoffs, send parked reports again, and reconcile')
    .option('--list', 'only show what waits for the console, what was refused, and why')
    .action(async (flow: string | undefined, options: { list?: boolean }, command: Command) => {
      const globals = globalsOf(command);
      if (options.list === true) return list(flow, globals);
      const { terminal, signal } = globals;
      await withOperations(globals, 'retry', async (operations) => {
        const answer = await operations.retry({ flow: flow ?? null }, signal);
        const error = answer.exit_code === 0 ? {} : { error: answer.problems[0] };
        terminal.document({ ...answer.report, ...error });
        renderReconcile(answer, terminal, answer.released);
        endWith(answer.exit_code, answer.problems, terminal);
      });
    });
}

async function list(flow: string | undefined, globals: Globals): Promise<void> {
  if (flow !== undefined)
    throw new CommandFailure('usage', `--list: expected no flow, found "${flow}"`, EXIT.usage);
  const reports = await withObserver(globals, (observer) =>
    observer.reports({ parkedOnly: false, limit: LISTED_MAX }),
  );
  globals.terminal.document(reports);
  renderReports(reports, globals.terminal, new Date());
}
