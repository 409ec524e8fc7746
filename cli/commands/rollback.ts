import type { Command } from 'commander';
import { accountName } from '../../agent/effective-settings.ts';
import { withOperations } from '../agent-access.ts';
import { globalsOf } from '../globals.ts';
import { renderStatus } from '../render/status.ts';

export function addRollback(program: Command): void {
  program
    .command('rollback <flow>')
    .description('go back to the previous version and hold it until a newer one, or "resume"')
    .option('--by <name>', 'who', accountName())
    .option('--why <text>', 'the reason, shown wherever the flow is', 'rolled back by hand')
    .action(async (flow: string, options: { by: string; why: string }, command: Command) => {
      const globals = globalsOf(command);
      await withOperations(globals, 'rollback', async (operations) => {
        const status = await operations.rollback({ flow, by: options.by, why: options.why }, globals.signal);
        globals.terminal.document(status);
        renderStatus(status, globals.terminal, new Date());
      });
    });
}
