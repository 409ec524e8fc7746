import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../../console/limits.ts';
import { createAuditStore } from '../../../console/store/sqlite/audit.ts';
import { createCommandRows } from '../../../console/store/sqlite/commands.ts';
import { type ConsoleDatabase, openDatabase } from '../../../console/store/sqlite/database.ts';
import { createEventRows } from '../../../console/store/sqlite/event-rows.ts';
import { createChangeStore } from '../../../console/store/sqlite/fleet/changes.ts';
import { PIECE_ROWS } from '../../../console/store/sqlite/pruning.ts';
import { createReportRows } from '../../../console/store/sqlite/reports.ts';
import { createRequestIds } from '../../../console/store/sqlite/request-ids.ts';
import { createRunIndex } from '../../../console/store/sqlite/run-index.ts';
import { createRunProgressStore } from '../../../console/store/sqlite/run-progress.ts';

const AT = new Date('2026-11-20T12:00:00.000Z');
const KEEP = 3;
/** More than three pieces of one agent. */
const ROWS = 1_800;

let folder: string;
let database: ConsoleDatabase;
/** Rows that each write took away or wrote. */
let writes: number[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'console-pruning-'));
  const opened = openDatabase(join(folder, 'console.db'));
  const changed = () => (opened.sql.prepare('SELECT total_changes() AS n').get() as { n: number }).n;
  writes = [];
  database = {
    ...opened,
    write: async (work) =>
      opened.write(() => {
        const before = changed();
        const done = work();
        writes.push(changed() - before);
        return done;
      }),
  };
  opened.sql.exec(
    `
    INSERT INTO tenants (slug, root_sha256, artifacts, publisher_hash, created_at) VALUES ('acme', '', '{}', 'p', '');
    INSERT INTO agents (agent_id, slug, thumbprint, device_jwk, git_token_hash, hostname, os, arch, agent_version, enrolled_at)
      SELECT id, 'acme', id, '{}', id, id, 'linux', 'x64', '0.1.0', '' FROM (SELECT 'a1' AS id UNION ALL SELECT 'a2');
    CREATE TEMP TABLE n (n INTEGER PRIMARY KEY);
    INSERT INTO n SELECT value FROM generate_rows;`.replace('SELECT value FROM generate_rows', numbers()),
  );
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function numbers(): string {
  return `WITH RECURSIVE each(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM each WHERE value < ${ROWS}) SELECT value FROM each`;
}
/** Many rows of the one agent, two of the other, as `SELECT` over `:agent` and `n`. */
function fill(insert: string): void {
  for (const [agent, rows] of [
    ['a1', ROWS],
    ['a2', 2],
  ] as const) {
    database.sql.exec(insert.replaceAll(':agent', `'${agent}'`).replaceAll(':rows', String(rows)));
  }
}
const count = (table: string) =>
  (database.sql.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;

interface Table {
  readonly table: string;
  readonly insert: string;
  /** Of the many and of the few. */
  readonly kept: number;
  prune(signal?: AbortSignal): Promise<number>;
}
const TABLES: readonly Table[] = [
  {
    table: 'events',
    insert: `INSERT INTO event_logs (agent_id, log_id, next_seq, last_hash, updated_at) VALUES (:agent, 'log', 1, '', '');
      INSERT INTO events (agent_id, log_id, seq, line, received_at) SELECT :agent, 'log', n, '{}', '' FROM n WHERE n <= :rows`,
    kept: KEEP + 2,
    prune: async (signal) => createEventRows(database).prune(KEEP, 9, signal),
  },
  {
    table: 'events',
    insert: `INSERT INTO event_logs (agent_id, log_id, next_seq, last_hash, updated_at) VALUES (:agent, 'old', 1, '', '1'), (:agent, 'new', 1, '', '2');
      INSERT INTO events (agent_id, log_id, seq, line, received_at) SELECT :agent, 'old', n, '{}', '' FROM n WHERE n <= :rows`,
    kept: 0,
    prune: async (signal) => createEventRows(database).prune(ROWS * 2, 1, signal),
  },
  {
    table: 'run_index',
    insert: `INSERT INTO run_index (agent_id, slug, run_id, flow, state, attempt, received_at)
      SELECT :agent, 'acme', n, 'f', 'failed', 1, '' FROM n WHERE n <= :rows`,
    kept: KEEP + 2,
    prune: async (signal) => createRunIndex(database).prune(KEEP, signal),
  },
  {
    table: 'run_index',
    insert: `INSERT INTO run_index (agent_id, slug, run_id, flow, state, attempt, received_at)
      SELECT :agent, 'acme', n, 'f', 'running', 1, '' FROM n WHERE n <= :rows`,
    kept: KEEP + 2,
    prune: async (signal) => createRunIndex(database).prune(KEEP, signal),
  },
  {
    table: 'commands',
    insert: `INSERT INTO commands (agent_id, command_id, action, run_id, jws, state, created_at, expires_at)
      SELECT :agent, n, 'run', n, '', 'acknowledged', '', '' FROM n WHERE n <= :rows`,
    kept: 0,
    // of runs that are not there any more
    prune: async (signal) => createRunIndex(database).prune(KEEP, signal),
  },
  {
    table: 'commands',
    insert: `INSERT INTO commands (agent_id, command_id, action, jws, state, created_at, expires_at)
      SELECT :agent, n, 'suspend', '', 'acknowledged', '', '' FROM n WHERE n <= :rows`,
    kept: KEEP + 2,
    prune: async (signal) => createCommandRows(database).prune(KEEP, signal),
  },
  {
    table: 'agent_changes',
    insert: `INSERT INTO agent_changes (at, slug, agent_id, kind) SELECT '', 'acme', :agent, 'state' FROM n WHERE n <= :rows`,
    kept: KEEP + 2,
    prune: async (signal) => createChangeStore(database).prune(KEEP, AT, signal),
  },
  {
    table: 'runs',
    insert: `INSERT INTO runs (agent_id, idempotency_key, run_id, attempt, flow, status, finished_at, received_at, body_sha256, body_bytes, body)
      SELECT :agent, n, n, 1, 'f', 'failed', '', '', '', 10, '{}' FROM n WHERE n <= :rows`,
    // thirty bytes are three of ten
    kept: KEEP + 2,
    prune: async (signal) =>
      createReportRows(database, { record: () => expect.fail() }).prune(KEEP * 2, 10 * KEEP, signal),
  },
  {
    table: 'run_progress',
    insert: `INSERT INTO run_progress (agent_id, run_id, attempt, flow, state, updated_at)
      SELECT :agent, n, 1, 'f', 'running', n FROM n WHERE n <= :rows`,
    kept: KEEP + 2,
    prune: async (signal) => createRunProgressStore(database).prune(KEEP, signal),
  },
  {
    table: 'audit',
    insert: `INSERT INTO audit (at, action, by_whom, message) SELECT '', 'x', 'y', 'z' FROM n WHERE n <= :rows`,
    kept: KEEP,
    prune: async (signal) => createAuditStore(database).prune(KEEP, signal),
  },
  {
    table: 'request_ids',
    insert: `INSERT INTO request_ids (caller, jti, expires_at) SELECT :agent, n, 5 FROM n WHERE n <= :rows`,
    kept: 0,
    prune: async (signal) => createRequestIds(database).prune(9, signal),
  },
];

describe.each(TABLES)('of $table', ({ table, insert, kept, prune }) => {
  it('what is too much goes in pieces, and others write between two of them', async () => {
    fill(insert);
    writes = [];
    let over = false;
    const pruned = prune().finally(() => (over = true));
    // asked for while the pieces are under way
    while (Math.max(0, ...writes) < PIECE_ROWS) await database.write(() => null);
    expect(over).toBe(false);
    expect(await pruned).toBe(ROWS + 2 - kept);
    expect(count(table)).toBe(kept);
    expect(Math.max(...writes)).toBeLessThanOrEqual(PIECE_ROWS + 1);
    expect(writes.length).toBeGreaterThan(4);
  });

  it('what was left by an end in between goes the next time', async () => {
    fill(insert);
    writes = [];
    const closing = new AbortController();
    const pruned = prune(closing.signal);
    while (Math.max(0, ...writes) < PIECE_ROWS) await database.write(() => null);
    closing.abort(new Error('the console is closing'));
    await expect(pruned).rejects.toThrow('the console is closing');
    expect(count(table)).toBeGreaterThan(kept);
    expect(count(table)).toBeLessThan(ROWS + 2);
    await prune();
    expect(count(table)).toBe(kept);
  });
});

it('nothing is written where nothing is too much', async () => {
  for (const { insert } of TABLES.slice(2, 3)) fill(insert);
  writes = [];
  await createRunIndex(database).prune(DEFAULT_LIMITS.keepRuns);
  expect(writes).toEqual([]);
});
