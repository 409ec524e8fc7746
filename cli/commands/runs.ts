import { type Command, InvalidArgumentError } from 'commander';
import { withObserver } from '../agent-access.ts';
import { globalsOf } from '../globals.ts';
import { renderRuns } from '../render/run.ts';

export function addRuns(program: Command): void {
  program
    .command('runs')
    .description('list runs, newest first')
    .option('--flow <id>', 'only of this flow')
    .option('-n, --last <count>', 'how many', limit, 20)
    .action(async (options: { flow?: string; last: number }, command: Command) => {
      const globals = globalsOf(command);
      const runs = await withObserver(globals, (observer) =>
        observer.runs(options.flow ?? null, options.last),
      );
      globals.terminal.document(runs);
      renderRuns(runs, globals.terminal, new Date());
    });
}

function limit(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 10_000) return value;
  throw new InvalidArgumentError(`expected a whole number of 1-10000, found "${text}"`);
}
