import type { Command } from 'commander';
import { withOperations } from '../agent-access.ts';
import { globalsOf } from '../globals.ts';
import { endWith } from '../outcome.ts';
import { renderDiff } from '../render/diff.ts';

export function addDiff(program: Command): void {
  program
    .command('diff')
    .description('show what a reconcile would change (exit 10 when it would)')
    .action(async (_options, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      await withOperations(globals, 'diff', async (operations) => {
        const diff = await operations.diff({}, signal);
        const { revision, changes, problems } = diff;
        const error = diff.exit_code === 0 || diff.exit_code === 10 ? {} : { error: problems[0] };
        terminal.document({ revision, changes, problems, ...error });
        renderDiff(diff, terminal);
        endWith(diff.exit_code, problems, terminal);
      });
    });
}
