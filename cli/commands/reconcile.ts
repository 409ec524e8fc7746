import type { Command } from 'commander';
import { withOperations } from '../agent-access.ts';
import { globalsOf } from '../globals.ts';
import { endWith } from '../outcome.ts';
import { renderDiff } from '../render/diff.ts';
import { renderReconcile } from '../render/reconcile.ts';

export function addReconcile(program: Command): void {
  program
    .command('reconcile')
    .description('make what the branch says true, now')
    .option('--dry-run', 'say what would be done and do nothing (exit 10 when something would)')
    .option('--force', 'apply again what is active already')
    .action(async (options: { dryRun?: boolean; force?: boolean }, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      await withOperations(globals, 'reconcile', async (operations) => {
        if (options.dryRun === true) {
          const diff = await operations.diff({}, signal);
          const actions = diff.changes.map(({ flow, change, to, because }) => {
            return { step: change, flow, version: to, because, outcome: 'planned' };
          });
          const error = diff.exit_code === 0 || diff.exit_code === 10 ? {} : { error: diff.problems[0] };
          terminal.document({ ...diff.status, actions, ...error });
          renderDiff(diff, terminal);
          return endWith(diff.exit_code, diff.problems, terminal);
        }
        const answer = await operations.reconcile({ force: options.force === true }, signal);
        const error = answer.exit_code === 0 ? {} : { error: answer.problems[0] };
        terminal.document({ ...answer.report, ...error });
        renderReconcile(answer, terminal);
        endWith(answer.exit_code, answer.problems, terminal);
      });
    });
}
