import type { Command } from 'commander';
import { withObserver } from '../agent-access.ts';
import { globalsOf } from '../globals.ts';
import { renderStatus } from '../render/status.ts';

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('show what runs here, what should, and what is in the way')
    .action(async (_options, command: Command) => {
      const globals = globalsOf(command);
      const status = await withObserver(globals, (observer) => observer.status(globals.signal));
      globals.terminal.document(status);
      renderStatus(status, globals.terminal, new Date());
    });
}
