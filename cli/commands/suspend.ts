import type { Command } from 'commander';
import { accountName } from '../../agent/effective-settings.ts';
import { parseDuration } from '../../schemas/duration.ts';
import { withOperations } from '../agent-access.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { globalsOf } from '../globals.ts';
import { renderStatus } from '../render/status.ts';

export function addSuspend(program: Command): void {
  program
    .command('suspend')
    .description('activate nothing new until resumed; runs go on')
    .requiredOption('--why <text>', 'the reason, shown wherever the suspension is')
    .option('--by <name>', 'who', accountName())
    .option('--until <time>', 'a time such as 2026-12-01T08:00:00Z, or a duration such as 4h')
    .action(async (options: { why: string; by: string; until?: string }, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      const { by, why } = options;
      const until = untilOf(options.until, new Date());
      await withOperations(globals, 'suspend', async (operations) => {
        const status = await operations.suspend({ by, why, until }, signal);
        terminal.document(status);
        renderStatus(status, terminal, new Date());
      });
    });
}

export function addResume(program: Command): void {
  program
    .command('resume')
    .description('end a suspension, and release flows held after a rollback')
    .option('--by <name>', 'who', accountName())
    .action(async (options: { by: string }, command: Command) => {
      const globals = globalsOf(command);
      await withOperations(globals, 'resume', async (operations) => {
        const status = await operations.resume({ by: options.by }, globals.signal);
        globals.terminal.document(status);
        globals.terminal.line('Resumed: the next reconcile applies what waited.');
        globals.terminal.line();
        renderStatus(status, globals.terminal, new Date());
      });
    });
}

function untilOf(text: string | undefined, now: Date): string | null {
  if (text === undefined) return null;
  const duration = parseDuration(text);
  const at = duration === null ? Date.parse(text) : now.getTime() + duration;
  if (Number.isNaN(at) || !/^\d/.test(text)) {
    const message = `--until: expected a time such as 2026-12-01T08:00:00Z or a duration such as 4h, found "${text}"`;
    throw new CommandFailure('usage', message, EXIT.usage);
  }
  if (at <= now.getTime()) {
    throw new CommandFailure('usage', `--until: expected a time to come, found "${text}"`, EXIT.usage);
  }
  return new Date(at).toISOString();
}
