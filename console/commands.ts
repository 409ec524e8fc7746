import { readCommandClaims } from './command-claims.ts';
import { RequestRefused } from './refusal.ts';
import type { Agent } from './store/ports/agents.ts';
import type { AuditEntry } from './store/ports/audit.ts';
import { insertAudit } from './store/sqlite/audit.ts';
import { tellRun } from './store/sqlite/command-endings.ts';
import type { ConsoleDatabase } from './store/sqlite/database.ts';
import { noteRunAsked } from './store/sqlite/run-index-writes.ts';

/** `sent`: through the tunnel at least once, and not yet answered. The last three are final. */
export type CommandState = 'queued' | 'sent' | 'acknowledged' | 'refused' | 'expired';

export interface CommandRow {
  readonly id: number;
  readonly agent_id: string;
  readonly command_id: string;
  readonly action: string;
  readonly run_id: string | null;
  readonly state: CommandState;
  /** Why the agent refused it: its code (schemas/reasons.ts) and sentence. */
  readonly code: string | null;
  readonly message: string | null;
  readonly created_at: string;
  readonly expires_at: string;
  readonly sent_at: string | null;
  readonly settled_at: string | null;
  /** Who handed it in, or had the console sign it, and why; null where nobody was asked. */
  readonly asked_by: string | null;
  readonly why: string | null;
}

/** Who wants a command done; what `told` says of it is written in the same step. */
export interface CommandOrigin {
  readonly by: string;
  readonly why: string | null;
  readonly told: (row: CommandRow) => AuditEntry;
}

export interface WaitingCommand {
  readonly id: number;
  readonly command_id: string;
  readonly jws: string;
}

/** What an agent says of the command `id`. */
export type CommandAnswer =
  | { readonly id: string; readonly state: 'acknowledged' }
  | { readonly id: string; readonly state: 'refused'; readonly code: string; readonly message: string };

export interface CommandQueue {
  /**
   * Durable when it resolves. The same command again is answered as it stands now; another one under its `command_id` is a
   * conflict (409), as is one for a revoked agent, and what no agent would take is refused (422). At most `maxWaiting` wait for one agent (429).
   */
  add(
    agent: Agent,
    jws: string,
    at: Date,
    maxWaiting: number,
    origin?: CommandOrigin,
  ): Promise<{ row: CommandRow; added: boolean }>;
  /** Not settled and not expired, in order of arrival, with `id` greater than `after`. */
  waiting(agentId: string, after: number, limit: number, now: Date): Promise<WaitingCommand[]>;
  sent(ids: readonly number[], at: Date): Promise<void>;
  /** The agent's answers, all in one step. Those that settled something: not of unknown commands, nor of settled ones. */
  settle(agentId: string, answers: readonly CommandAnswer[], at: Date): Promise<CommandRow[]>;
  /** Those whose time is over, now `expired`. */
  expire(now: Date): Promise<CommandRow[]>;
  /** Newest first; `before` is an `id` of a row. What can no longer be sent is `expired`, whether that is noted yet or not. */
  list(
    agentId: string,
    page: { before?: number | undefined; limit: number },
    now: Date,
  ): Promise<CommandRow[]>;
  /** The newest command of this id, of whichever agent. */
  get(commandId: string, now: Date): Promise<CommandRow | null>;
  /** The newest command that asks for this run. */
  forRun(agentId: string, runId: string): Promise<CommandRow | null>;
  /** The commands that ask for the end of this run, oldest first, at most 20. */
  cancelsOf(agentId: string, runId: string): Promise<CommandRow[]>;
  /** Agents for which something waits. */
  agentsWaiting(): Promise<string[]>;
  /** Forgets the oldest settled ones of every agent beyond `keep`; how many. */
  prune(keep: number): Promise<number>;
}

const COLUMNS = `id, agent_id, command_id, action, run_id, state, code, message, created_at, expires_at, sent_at, settled_at,
  asked_by, why`;
const UNSETTLED = `state IN ('queued', 'sent')`;

/** Signed commands on their way to agents: kept until the agent has answered or their time is over. */
export function createCommandQueue(database: ConsoleDatabase): CommandQueue {
  const { prepare, write } = database;
  const find = (agentId: string, commandId: string) =>
    prepare(`SELECT ${COLUMNS}, jws FROM commands WHERE agent_id = ? AND command_id = ?`).get(
      agentId,
      commandId,
    ) as unknown as (CommandRow & { jws: string }) | undefined;
  const shown = ({ jws: _jws, ...row }: CommandRow & { jws: string }): CommandRow => row;

  const expectStanding = (agentId: string) => {
    const agent = prepare('SELECT revoked_at FROM agents WHERE agent_id = ?').get(agentId) as
      | { revoked_at: string | null }
      | undefined;
    if (agent === undefined || agent.revoked_at === null) return;
    const message = `expected an agent in good standing, found ${agentId}, revoked at ${agent.revoked_at}`;
    throw new RequestRefused(409, 'agent_revoked', message);
  };
  // An answer to one that was sent may be on its way.
  const asOf = (row: CommandRow, now: Date): CommandRow =>
    row.state === 'queued' && row.expires_at <= now.toISOString()
      ? { ...row, state: 'expired', settled_at: row.expires_at }
      : row;

  return {
    async add(agent, jws, at, maxWaiting, origin) {
      const command = readCommandClaims(jws, agent, at);
      return write(() => {
        expectStanding(agent.agent_id);
        const there = find(agent.agent_id, command.command_id);
        if (there !== undefined) {
          if (there.jws === jws) return { row: shown(there), added: false };
          const message = `expected a command_id of its own for every command, found ${command.command_id} used before`;
          throw new RequestRefused(409, 'command_id_used', message);
        }
        const { n } = prepare(`SELECT count(*) AS n FROM commands WHERE agent_id = ? AND ${UNSETTLED}`).get(
          agent.agent_id,
        ) as { n: number };
        if (n >= maxWaiting) {
          const message = `expected at most ${maxWaiting} commands waiting for one agent, found ${n}; let it take them first`;
          throw new RequestRefused(429, 'too_many_commands', message, { 'retry-after': '60' });
        }
        prepare(
          `INSERT INTO commands (agent_id, command_id, action, run_id, jws, state, created_at, expires_at, asked_by, why)
             VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?)`,
        ).run(
          agent.agent_id,
          command.command_id,
          command.action,
          command.action === 'run' || command.action === 'cancel' ? command.run_id : null,
          jws,
          at.toISOString(),
          new Date(command.expires).toISOString(),
          origin?.by ?? null,
          origin?.why ?? null,
        );
        if (command.action === 'run') {
          const { run_id, flow, version = null } = command;
          noteRunAsked(database, { agent_id: agent.agent_id, run_id, flow, version }, at);
        }
        const row = find(agent.agent_id, command.command_id);
        if (row === undefined) throw new Error('expected the command that was just stored');
        if (origin !== undefined) insertAudit(database, origin.told(row), at);
        return { row: shown(row), added: true };
      });
    },
    waiting: async (agentId, after, limit, now) =>
      prepare(
        `SELECT id, command_id, jws FROM commands
           WHERE agent_id = ? AND id > ? AND ${UNSETTLED} AND expires_at > ? ORDER BY id LIMIT ?`,
      ).all(agentId, after, now.toISOString(), limit) as unknown as WaitingCommand[],
    sent: (ids, at) =>
      write(() => {
        const mark = prepare(
          `UPDATE commands SET state = 'sent', sent_at = coalesce(sent_at, ?) WHERE id = ? AND state = 'queued'`,
        );
        for (const id of ids) mark.run(at.toISOString(), id);
      }),
    settle: (agentId, answers, at) =>
      write(() =>
        answers.flatMap((answer) => {
          const { code, message } = answer.state === 'refused' ? answer : { code: null, message: null };
          const row = prepare(
            `UPDATE commands SET state = ?, code = ?, message = ?, settled_at = ?
             WHERE agent_id = ? AND command_id = ? AND ${UNSETTLED} RETURNING ${COLUMNS}`,
          ).get(answer.state, code, message, at.toISOString(), agentId, answer.id) as unknown as
            | CommandRow
            | undefined;
          if (row === undefined) return [];
          tellRun(database, row);
          return [row];
        }),
      ),
    expire: (now) =>
      write(() => {
        const rows = prepare(
          `UPDATE commands SET state = 'expired', settled_at = expires_at WHERE ${UNSETTLED} AND expires_at <= :now
             RETURNING ${COLUMNS}`,
        ).all({ now: now.toISOString() }) as unknown as CommandRow[];
        for (const row of rows) tellRun(database, row);
        return rows;
      }),
    list: async (agentId, { before, limit }, now) => {
      const rows = prepare(
        `SELECT ${COLUMNS} FROM commands WHERE agent_id = :agent AND (:before IS NULL OR id < :before)
           ORDER BY id DESC LIMIT :limit`,
      ).all({ agent: agentId, before: before ?? null, limit }) as unknown as CommandRow[];
      return rows.map((row) => asOf(row, now));
    },
    async get(commandId, now) {
      const row = prepare(
        `SELECT ${COLUMNS} FROM commands WHERE command_id = ? ORDER BY id DESC LIMIT 1`,
      ).get(commandId) as unknown as CommandRow | undefined;
      return row === undefined ? null : asOf(row, now);
    },
    forRun: async (agentId, runId) =>
      (prepare(
        `SELECT ${COLUMNS} FROM commands WHERE agent_id = ? AND run_id = ? AND action = 'run' ORDER BY id DESC LIMIT 1`,
      ).get(agentId, runId) as unknown as CommandRow | undefined) ?? null,
    cancelsOf: async (agentId, runId) =>
      prepare(
        `SELECT ${COLUMNS} FROM commands WHERE agent_id = ? AND run_id = ? AND action = 'cancel' ORDER BY id LIMIT 20`,
      ).all(agentId, runId) as unknown as CommandRow[],
    agentsWaiting: async () =>
      (
        prepare(`SELECT DISTINCT agent_id FROM commands WHERE ${UNSETTLED}`).all() as {
          agent_id: string;
        }[]
      ).map(({ agent_id }) => agent_id),
    prune: (keep) =>
      write(() => {
        const done = prepare(
          `DELETE FROM commands WHERE id IN (SELECT id FROM (SELECT id,
             row_number() OVER (PARTITION BY agent_id ORDER BY id DESC) AS place FROM commands WHERE NOT ${UNSETTLED})
           WHERE place > ?)`,
        ).run(keep);
        return Number(done.changes);
      }),
  };
}
