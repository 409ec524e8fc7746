import type { IndexedRun, RunFilter, RunIndex } from '../ports/run-index.ts';
import type { ConsoleDatabase } from './database.ts';
import { beyondNewest, createPruning } from './pruning.ts';

/** What no index finds is looked for among so many of the newest, so that no search holds everybody up. */
const LOOKED_AT = 100_000;
const WORDS_MAX = 16;
const GOING_ON = ['asked', 'queued', 'running'];

const COLUMNS = `run_index.id, run_index.slug AS tenant, run_index.agent_id, hostname, run_id, flow, version, state AS status, state,
  trigger, attempt, exit_code, reason, asked_at, started_at, finished_at, received_at, sha256, revision`;
const FROM = 'FROM run_index JOIN agents ON agents.agent_id = run_index.agent_id';
type Value = string | number | null;

export function createRunIndex(
  database: ConsoleDatabase,
  { lookedAt = LOOKED_AT }: { readonly lookedAt?: number } = {},
): RunIndex {
  const { prepare } = database;

  return {
    async list(filter) {
      const { limit } = filter;
      const coarse = narrowed(filter);
      const fine = sought(filter);
      const where = (conditions: readonly string[]) =>
        conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
      let floor: number | null = null;
      if (fine.conditions.length > 0) {
        const found = prepare(
          `SELECT id FROM run_index ${where(coarse.conditions)} ORDER BY id DESC LIMIT 1 OFFSET :looked`,
        ).get({ ...coarse.values, looked: lookedAt }) as { id: number } | undefined;
        floor = found === undefined ? null : found.id + 1;
      }
      const bounds = floor === null ? [] : ['run_index.id >= :floor'];
      const rows = prepare(
        `SELECT ${COLUMNS} ${FROM} ${where([...coarse.conditions, ...fine.conditions, ...bounds])}
         ORDER BY run_index.id DESC LIMIT :limit`,
      ).all({ ...coarse.values, ...fine.values, ...(floor === null ? {} : { floor }), limit });
      const runs = rows as unknown as IndexedRun[];
      const next_before = runs.length === limit ? (runs.at(-1)?.id ?? null) : floor;
      return { runs, next_before };
    },
    async get(agentId, runId) {
      const row = prepare(
        `SELECT ${COLUMNS} ${FROM} WHERE run_index.agent_id = ? AND run_index.run_id = ?`,
      ).get(agentId, runId);
      return (row as unknown as IndexedRun | undefined) ?? null;
    },
    async named(runId, tenants, limit) {
      const { conditions, values } = narrowed({ tenants, limit });
      const rows = prepare(
        `SELECT ${COLUMNS} ${FROM} WHERE ${['run_index.run_id = :run', ...conditions].join(' AND ')}
         ORDER BY run_index.id DESC LIMIT :limit`,
      ).all({ ...values, run: runId, limit });
      return rows as unknown as IndexedRun[];
    },
    async load(agentIds) {
      const rows = prepare(
        `SELECT agent_id, count(*) AS runs FROM run_index
         WHERE state IN ('asked', 'queued', 'running') AND agent_id IN (SELECT value FROM json_each(?)) GROUP BY agent_id`,
      ).all(JSON.stringify(agentIds)) as { agent_id: string; runs: number }[];
      return new Map(rows.map(({ agent_id, runs }) => [agent_id, runs]));
    },
    prune: async (keep, signal) => {
      const { ofEachAgent } = createPruning(database, signal);
      const goesOn = beyondNewest(database, 'run_index', keep, `state IN ('asked', 'queued', 'running')`);
      const ended = beyondNewest(database, 'run_index', keep);
      // The command that asked for a run has its inputs in it, and these are kept no longer than the run.
      const orphan = `agent_id = ? AND action = 'run' AND run_id IS NOT NULL AND state NOT IN ('queued', 'sent')
        AND NOT EXISTS (SELECT 1 FROM run_index
          WHERE run_index.agent_id = commands.agent_id AND run_index.run_id = commands.run_id)`;
      return (
        // Those that have ended count among all of them, so they come first.
        (await ofEachAgent(ended.look, (agentId, newest, limit) =>
          Number(
            prepare(
              `DELETE FROM run_index WHERE id IN (SELECT id FROM run_index WHERE agent_id = ? AND id <= ?
                 AND state NOT IN ('asked', 'queued', 'running') ORDER BY id LIMIT ?)`,
            ).run(agentId, newest, limit).changes,
          ),
        )) +
        (await ofEachAgent(goesOn.look, goesOn.remove)) +
        (await ofEachAgent(
          (agentId) => prepare(`SELECT 1 FROM commands WHERE ${orphan} LIMIT 1`).get(agentId) ?? null,
          (agentId, _found, limit) =>
            Number(
              prepare(
                `DELETE FROM commands WHERE id IN (SELECT id FROM commands WHERE ${orphan} LIMIT ?)`,
              ).run(agentId, limit).changes,
            ),
        ))
      );
    },
  };
}

/** What an index finds. */
function narrowed({ tenants, agent, flow, states, before }: RunFilter) {
  const conditions: string[] = [];
  const values: Record<string, Value> = {};
  const add = (condition: string, name: string, value: Value) => {
    conditions.push(condition);
    values[name] = value;
  };
  // Equality, where it is one: an index can then give the rows in their order.
  if (tenants !== '*' && tenants.length === 1) add('run_index.slug = :tenant', 'tenant', tenants[0] ?? '');
  else if (tenants !== '*') {
    add('run_index.slug IN (SELECT value FROM json_each(:tenants))', 'tenants', JSON.stringify(tenants));
  }
  if (agent !== undefined) add('run_index.agent_id = :agent', 'agent', agent);
  if (flow !== undefined) add('run_index.flow = :flow', 'flow', flow);
  if (before !== undefined) add('run_index.id < :before', 'before', before);
  // In the words of the partial index, or it is not used.
  if (states !== undefined && states.length > 0 && states.every((state) => GOING_ON.includes(state))) {
    conditions.push(`run_index.state IN ('asked', 'queued', 'running')`);
  }
  return { conditions, values };
}

/** What every row has to be looked at for. */
function sought({ states, trigger, version, since, until, q = '' }: RunFilter) {
  const conditions: string[] = [];
  const values: Record<string, Value> = {};
  const add = (condition: string, name: string, value: Value) => {
    conditions.push(condition);
    values[name] = value;
  };
  if (states !== undefined && states.length > 0) {
    add('run_index.state IN (SELECT value FROM json_each(:states))', 'states', JSON.stringify(states));
  }
  if (trigger !== undefined) add('run_index.trigger = :trigger', 'trigger', trigger);
  if (version !== undefined) add('run_index.version = :version', 'version', version);
  if (since !== undefined) add('run_index.received_at >= :since', 'since', new Date(since).toISOString());
  if (until !== undefined) add('run_index.received_at < :until', 'until', new Date(until).toISOString());
  const words = q.split(/\s+/).filter((word) => word !== '');
  for (const [index, word] of words.slice(0, WORDS_MAX).entries()) {
    const own = `concat_ws(' ', run_index.run_id, run_index.flow, run_index.version, run_index.reason)`;
    const name = `word${index}`;
    add(
      `(instr(lower(${own}), :${name}) > 0 OR run_index.agent_id IN
        (SELECT agent_id FROM agents WHERE instr(lower(concat_ws(' ', agent_id, hostname)), :${name}) > 0))`,
      name,
      word.toLowerCase(),
    );
  }
  return { conditions, values };
}
