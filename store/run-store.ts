import type { RunRecord, RunStore } from '../reconciler/ports.ts';
import type { Database } from './database.ts';

/**
 * Runs in `agent.db`. The order of insertion is the order in time: a clock that is set back does not shuffle them.
 * `insert` throws for a run_id that is there already, `update` for one that is not: both are bugs of the caller.
 */
export function createRunStore(database: Database): RunStore {
  const { sqlite, transaction } = database;
  const insert = sqlite.prepare(
    'INSERT INTO runs (run_id, flow, state, finished_ms, record) VALUES (?, ?, ?, ?, ?)',
  );
  const update = sqlite.prepare(
    'UPDATE runs SET flow = ?, state = ?, finished_ms = ?, record = ? WHERE run_id = ?',
  );
  const select = sqlite.prepare('SELECT record FROM runs WHERE run_id = ?');
  const selectCount = sqlite.prepare('SELECT count(*) AS n FROM runs WHERE state = ?');
  // A list of states goes in as JSON, so that one prepared statement serves every filter.
  const inStates = '(SELECT value FROM json_each(:states))';
  const ending = 'ORDER BY id DESC LIMIT :limit';
  const selectAll = sqlite.prepare(`SELECT record FROM runs ${ending}`);
  const selectFlow = sqlite.prepare(`SELECT record FROM runs WHERE flow = :flow ${ending}`);
  const selectStates = sqlite.prepare(`SELECT record FROM runs WHERE state IN ${inStates} ${ending}`);
  const selectBoth = sqlite.prepare(
    `SELECT record FROM runs WHERE flow = :flow AND state IN ${inStates} ${ending}`,
  );
  const selectLeases = sqlite.prepare(
    `SELECT DISTINCT record ->> '$.path' AS path FROM runs
     WHERE state IN ('queued', 'running') AND record ->> '$.path' IS NOT NULL`,
  );
  const removeEnded = sqlite.prepare('DELETE FROM runs WHERE finished_ms < ? RETURNING run_id');

  const get = (runId: string): RunRecord | null => {
    const row = select.get(runId);
    return row === undefined ? null : toRecord(row);
  };

  return {
    get,
    insert(run) {
      insert.run(run.run_id, run.flow, run.state, endMs(run), JSON.stringify(run));
    },
    update(runId, change) {
      transaction(() => {
        const before = get(runId);
        if (before === null) throw new Error(`expected a run ${runId} to update, found none`);
        const after: RunRecord = { ...before, ...change, run_id: runId };
        update.run(after.flow, after.state, endMs(after), JSON.stringify(after), runId);
      });
    },
    list({ flow, states, limit }) {
      if (flow !== undefined && states !== undefined) {
        return selectBoth.all({ flow, states: JSON.stringify(states), limit }).map(toRecord);
      }
      if (flow !== undefined) return selectFlow.all({ flow, limit }).map(toRecord);
      if (states !== undefined)
        return selectStates.all({ states: JSON.stringify(states), limit }).map(toRecord);
      return selectAll.all({ limit }).map(toRecord);
    },
    count(state) {
      return Number(selectCount.get(state)?.['n']);
    },
    leases: () => selectLeases.all().map((row) => String(row['path'])),
    prune(before) {
      return removeEnded.all(before.getTime()).map((row) => String(row['run_id']));
    },
  };
}

function endMs(run: RunRecord): number | null {
  return run.finished_at === null ? null : Date.parse(run.finished_at);
}

/** Written by this agent alone, so read back as it was written. */
function toRecord(row: Record<string, unknown>): RunRecord {
  return JSON.parse(String(row['record'])) as RunRecord;
}
