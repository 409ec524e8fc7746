import { type Command, InvalidArgumentError } from 'commander';
import { withObserver } from '../agent-access.ts';
import { globalsOf } from '../globals.ts';
import { renderEvent } from '../render/event.ts';

const SHOWN = 50;

export function addEvents(program: Command): void {
  program
    .command('events')
    .description('show the reconciliation history, oldest first')
    .option('-f, --follow', 'go on as events happen (with --output json: one JSON a line)')
    .option('-n, --last <count>', 'how many to begin with', count, SHOWN)
    .action(async (options: { follow?: boolean; last: number }, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      await withObserver(globals, async (observer) => {
        const known = await observer.events(options.last);
        if (options.follow !== true) {
          terminal.document(known);
          for (const event of known) terminal.line(renderEvent(event, terminal));
          if (known.length === 0) terminal.line('Nothing happened yet.');
          return;
        }
        const show = (event: (typeof known)[number]) => {
          if (terminal.json) process.stdout.write(`${JSON.stringify(event)}\n`);
          else terminal.line(renderEvent(event, terminal));
        };
        for (const event of known) show(event);
        for await (const event of observer.followEvents((known.at(-1)?.seq ?? 0) + 1, signal)) show(event);
      });
    });
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 1_000_000) return value;
  throw new InvalidArgumentError(`expected a whole number, found "${text}"`);
}
