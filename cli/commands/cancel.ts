import type { Command } from 'commander';
import { withOperations } from '../agent-access.ts';
import { globalsOf } from '../globals.ts';

export function addCancel(program: Command): void {
  program
    .command('cancel <run_id>')
    .description('end a run: interrupt, grace, then its whole process tree')
    .action(async (runId: string, _options, command: Command) => {
      const globals = globalsOf(command);
      await withOperations(globals, 'cancel', async (operations) => {
        const answer = await operations.cancel({ run_id: runId }, globals.signal);
        globals.terminal.document(answer);
        const done = answer.state !== 'cancelling';
        globals.terminal.line(
          done ? `Run ${runId} is over already: ${answer.state}.` : `Run ${runId} is being ended.`,
        );
      });
    });
}
