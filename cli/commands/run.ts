import type { Command } from 'commander';
import { runDaemon } from '../agent-access.ts';
import { globalsOf } from '../globals.ts';

export function addRun(program: Command): void {
  program
    .command('run')
    .description('reconcile continuously, in the foreground, until SIGTERM or Ctrl-C')
    .action(async (_options, command: Command) => runDaemon(globalsOf(command)));
}
