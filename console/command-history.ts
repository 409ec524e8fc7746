import type { Command as Verb } from 'commander';
import { createSystemClock } from '../system/clock.ts';
import { openExistingState } from './data-folder.ts';
import type { ConsoleState } from './state.ts';
import { TenantFault } from './tenants.ts';
import { table } from './text-table.ts';

interface Common {
  readonly data: string;
  readonly output: 'text' | 'json';
}

const LISTED_MAX = 100;

/** `edge-console command list|show`: what became of the commands that were handed in, as the agents have answered. */
export function addCommandHistory(parts: {
  readonly command: Verb;
  readonly common: (verb: Verb) => Verb;
  readonly print: (options: Common, document: unknown, text: string) => void;
}): void {
  const { command, common, print } = parts;
  const clock = createSystemClock();

  common(command.command('list'))
    .description(`show the last ${LISTED_MAX} commands of an agent and what became of them, newest first`)
    .requiredOption('--agent <id>', 'the agent they are for')
    .action((options: Common & { agent: string }) =>
      withState(options, async (state) => {
        if ((await state.agents.get(options.agent)) === null) {
          const found = options.agent.slice(0, 80);
          throw new TenantFault(`expected the id of an agent, found no ${found}; the verb agents lists them`);
        }
        const rows = await state.commands.list(options.agent, { limit: LISTED_MAX }, clock.now());
        const columns = [
          'command_id',
          'action',
          'flow',
          'version',
          'run_id',
          'state',
          'outcome',
          'created_at',
          'code',
          'said',
        ] as const;
        // Why it was refused, or what came of it: it is one or the other.
        const said = rows.map((row) => ({ ...row, said: row.message ?? row.outcome_message }));
        print(options, rows, table(said, columns));
      }),
    );
  common(command.command('show <command_id>'))
    .description('show one command: whether its agent has it, and why it was refused')
    .action((commandId: string, options: Common) =>
      withState(options, async (state) => {
        const row = await state.commands.get(commandId, clock.now());
        if (row === null) {
          const found = commandId.slice(0, 80);
          throw new TenantFault(
            `expected the id of a command, found no ${found}; command list --agent <id> shows them`,
          );
        }
        const said = Object.entries(row).filter(([name, value]) => name !== 'id' && value !== null);
        print(
          options,
          row,
          table(
            said.map(([what, value]) => ({ what, value })),
            ['what', 'value'],
          ),
        );
      }),
    );
}

async function withState(options: Common, work: (state: ConsoleState) => Promise<void>): Promise<void> {
  const state = await openExistingState(options.data, createSystemClock());
  try {
    await work(state);
  } finally {
    await state.close();
  }
}
