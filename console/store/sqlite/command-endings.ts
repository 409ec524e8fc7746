import type { CommandOutcome } from '../ports/event-rows.ts';
import type { ConsoleDatabase } from './database.ts';
import { noteRunAnswered } from './run-index-writes.ts';

interface EndedCommand {
  readonly agent_id: string;
  readonly action: string;
  readonly run_id: string | null;
  readonly state: string;
  readonly code: string | null;
  readonly message: string | null;
  readonly settled_at: string | null;
}

/** For the works of other stores: the agent is gone, and what waits for it is refused in its name. How many. */
export function dropCommands(
  database: Pick<ConsoleDatabase, 'sql' | 'prepare'>,
  agentId: string,
  why: string,
  at: Date,
): number {
  const rows = database
    .prepare(
      `UPDATE commands SET state = 'refused', code = 'agent_revoked', message = ?, settled_at = ?
       WHERE agent_id = ? AND state IN ('queued', 'sent')
       RETURNING agent_id, action, run_id, state, code, message, settled_at`,
    )
    .all(why, at.toISOString(), agentId) as unknown as EndedCommand[];
  for (const row of rows) tellRun(database, row);
  return rows.length;
}

/** An event of the agent says what came of a command. The first word counts, and one that is not here is nobody's. */
export function noteCommandOutcome(
  { prepare }: Pick<ConsoleDatabase, 'prepare'>,
  agentId: string,
  outcome: CommandOutcome,
): void {
  const { command_id, outcome: became, at, message, version } = outcome;
  prepare(
    `UPDATE commands SET outcome = ?, outcome_at = ?, outcome_message = ?, version = coalesce(?, version)
     WHERE agent_id = ? AND command_id = ? AND outcome IS NULL`,
  ).run(became, at, message, version, agentId, command_id);
}

/** The list of runs hears what became of the command that asks for one. */
export function tellRun(database: Pick<ConsoleDatabase, 'sql' | 'prepare'>, command: EndedCommand): void {
  const { agent_id, run_id, action, state, code, message, settled_at } = command;
  if (action !== 'run' || run_id === null || settled_at === null) return;
  const became = state === 'acknowledged' ? 'queued' : state === 'refused' ? 'refused' : 'expired';
  const why = code === null ? message : `${code}: ${message}`;
  noteRunAnswered(database, { agent_id, run_id }, became, why, settled_at);
}
