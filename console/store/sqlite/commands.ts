import type { CommandRow, CommandRows, ListedCommand, WaitingCommand } from '../ports/commands.ts';
import { insertAudit } from './audit.ts';
import { tellRun } from './command-endings.ts';
import type { ConsoleDatabase } from './database.ts';
import { beyondNewest, createPruning } from './pruning.ts';
import { noteRunAsked } from './run-index-writes.ts';

const COLUMNS = `id, agent_id, command_id, action, run_id, state, code, message, created_at, expires_at, sent_at, settled_at,
  asked_by, why, flow, version, outcome, outcome_at, outcome_message`;
/** A run that was asked for in no version, or is cancelled, says of which it is. */
const LISTED = `${COLUMNS.replaceAll(/\w+/g, 'commands.$&')}, run_index.state AS run_state`
  .replace('commands.flow', 'coalesce(commands.flow, run_index.flow) AS flow')
  .replace('commands.version', 'coalesce(commands.version, run_index.version) AS version');
const UNSETTLED = `state IN ('queued', 'sent')`;

export function createCommandRows(database: ConsoleDatabase): CommandRows {
  const { prepare, write } = database;
  const find = (agentId: string, commandId: string) =>
    prepare(`SELECT ${COLUMNS}, jws FROM commands WHERE agent_id = ? AND command_id = ?`).get(
      agentId,
      commandId,
    ) as unknown as (CommandRow & { jws: string }) | undefined;
  const shown = ({ jws: _jws, ...row }: CommandRow & { jws: string }): CommandRow => row;

  const revokedAt = (agentId: string): string | null => {
    const find = 'SELECT revoked_at FROM agents WHERE agent_id = ?';
    return (prepare(find).get(agentId) as { revoked_at: string | null } | undefined)?.revoked_at ?? null;
  };
  const waitingFor = (agentId: string): number => {
    const count = `SELECT count(*) AS n FROM commands WHERE agent_id = ? AND ${UNSETTLED}`;
    return (prepare(count).get(agentId) as { n: number }).n;
  };

  return {
    add: (draft, at, maxWaiting, origin) =>
      write(() => {
        const { agent_id, command_id, action, run_id, jws, expires_at, flow, version } = draft;
        const revoked_at = revokedAt(agent_id);
        if (revoked_at !== null) return { kind: 'revoked', revoked_at };
        const there = find(agent_id, command_id);
        if (there !== undefined) return { kind: 'there', row: shown(there), jws: there.jws };
        const waiting = waitingFor(agent_id);
        if (waiting >= maxWaiting) return { kind: 'full', waiting };
        prepare(
          `INSERT INTO commands (agent_id, command_id, action, run_id, jws, state, created_at, expires_at, asked_by, why, flow, version)
             VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?)`,
        ).run(
          agent_id,
          command_id,
          action,
          run_id,
          jws,
          at.toISOString(),
          expires_at,
          origin?.by ?? null,
          origin?.why ?? null,
          flow,
          version,
        );
        if (action === 'run' && run_id !== null && flow !== null) {
          noteRunAsked(database, { agent_id, run_id, flow, version }, at);
        }
        const made = find(agent_id, command_id);
        if (made === undefined) throw new Error('expected the command that was just stored');
        const row = shown(made);
        if (origin !== undefined) insertAudit(database, origin.told(row), at);
        return { kind: 'added', row };
      }),
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
    list: async (agentId, { before, limit }) =>
      prepare(
        `SELECT ${LISTED} FROM commands LEFT JOIN run_index USING (agent_id, run_id)
           WHERE commands.agent_id = :agent AND (:before IS NULL OR commands.id < :before)
           ORDER BY commands.id DESC LIMIT :limit`,
      ).all({ agent: agentId, before: before ?? null, limit }) as unknown as ListedCommand[],
    get: async (commandId) =>
      (prepare(`SELECT ${COLUMNS} FROM commands WHERE command_id = ? ORDER BY id DESC LIMIT 1`).get(
        commandId,
      ) as unknown as CommandRow | undefined) ?? null,
    forRun: async (agentId, runId) =>
      (prepare(
        `SELECT ${COLUMNS} FROM commands WHERE agent_id = ? AND run_id = ? AND action = 'run' ORDER BY id DESC LIMIT 1`,
      ).get(agentId, runId) as unknown as CommandRow | undefined) ?? null,
    asked: async (agentId, runId) =>
      (
        prepare(
          `SELECT jws FROM commands WHERE agent_id = ? AND run_id = ? AND action = 'run'
           ORDER BY state IN ('refused', 'expired'), id LIMIT 1`,
        ).get(agentId, runId) as { jws: string } | undefined
      )?.jws ?? null,
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
    prune: async (keep, signal) => {
      const settled = beyondNewest(database, 'commands', keep, `NOT ${UNSETTLED}`);
      return createPruning(database, signal).ofEachAgent(settled.look, settled.remove);
    },
  };
}
