import type { Command } from 'commander';
import { withOperations } from '../agent-access.ts';
import { globalsOf } from '../globals.ts';
import { endWith } from '../outcome.ts';
import { renderReconcile } from '../render/reconcile.ts';

export function addRetry(program: Command): void {
  program
    .command('retry [flow]')
    .description('forget quarantines and backoffs, send parked reports again, and reconcile')
    .action(async (flow: string | undefined, _options, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      await withOperations(globals, 'retry', async (operations) => {
        const answer = await operations.retry({ flow: flow ?? null }, signal);
        const error = answer.exit_code === 0 ? {} : { error: answer.problems[0] };
        terminal.document({ ...answer.report, ...error });
        renderReconcile(answer, terminal);
        endWith(answer.exit_code, answer.problems, terminal);
      });
    });
}
