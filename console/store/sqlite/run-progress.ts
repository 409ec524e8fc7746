import type { RunCompleted, RunProgress, RunProgressStore } from '../ports/run-progress.ts';
import type { ConsoleDatabase } from './database.ts';
import { createPruning } from './pruning.ts';
import { noteRunEnded, noteRunStarted } from './run-index-writes.ts';

export function createRunProgressStore(database: ConsoleDatabase): RunProgressStore {
  const { prepare, write } = database;
  return {
    started: (agentId, run, at) =>
      write(() => {
        prepare(
          `INSERT INTO run_progress (agent_id, run_id, attempt, flow, version, state, started_at, updated_at)
             VALUES (?, ?, ?, ?, ?, 'running', ?, ?) ON CONFLICT DO NOTHING`,
        ).run(agentId, run.run_id, run.attempt, run.flow, run.version, run.at, at.toISOString());
        noteRunStarted(database, agentId, run, at);
      }),
    completed: (agentId, run, at) => write(() => writeCompleted(database, agentId, run, at)),
    list: async (agentId, { running = false, limit }) =>
      prepare(
        `SELECT * FROM run_progress WHERE agent_id = ? AND (? = 0 OR state = 'running')
           ORDER BY updated_at DESC, run_id DESC LIMIT ?`,
      ).all(agentId, Number(running), limit) as unknown as RunProgress[],
    get: async (agentId, runId) =>
      prepare('SELECT * FROM run_progress WHERE agent_id = ? AND run_id = ? ORDER BY attempt').all(
        agentId,
        runId,
      ) as unknown as RunProgress[],
    prune: async (keep, signal) =>
      createPruning(database, signal).ofEachAgent(
        (agentId) => {
          const { n } = prepare('SELECT count(*) AS n FROM run_progress WHERE agent_id = ?').get(agentId) as {
            n: number;
          };
          return n > keep ? keep : null;
        },
        (agentId, kept, limit) =>
          Number(
            prepare(
              `DELETE FROM run_progress WHERE (agent_id, run_id, attempt) IN (SELECT agent_id, run_id, attempt
                 FROM run_progress WHERE agent_id = ? ORDER BY updated_at DESC LIMIT ? OFFSET ?)`,
            ).run(agentId, limit, kept).changes,
          ),
      ),
  };
}

/** For the works of other stores: a report says the same, and is written with it. */
export function writeCompleted(
  database: Pick<ConsoleDatabase, 'sql' | 'prepare'>,
  agentId: string,
  run: RunCompleted,
  at: Date,
): void {
  const { prepare } = database;

  prepare(
    `INSERT INTO run_progress (agent_id, run_id, attempt, flow, version, state, exit_code, started_at, finished_at, updated_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET state = excluded.state, exit_code = excluded.exit_code,
               finished_at = excluded.finished_at, updated_at = excluded.updated_at`,
  ).run(
    agentId,
    run.run_id,
    run.attempt,
    run.flow,
    run.version,
    run.status,
    run.exit_code,
    run.started_at,
    run.finished_at,
    at.toISOString(),
  );
  // An attempt before the last never gets a word of its own.
  prepare(
    `UPDATE run_progress SET state = 'retried', updated_at = ?
             WHERE agent_id = ? AND run_id = ? AND attempt < ? AND state = 'running'`,
  ).run(at.toISOString(), agentId, run.run_id, run.attempt);
  noteRunEnded(database, agentId, run, at);
}
