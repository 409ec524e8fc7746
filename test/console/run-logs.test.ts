import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRunLogStore, type RunLogStore } from '../../console/run-logs.ts';
import { type ConsoleDatabase, openDatabase } from '../../console/store/sqlite/database.ts';
import { createLogRows } from '../../console/store/sqlite/log-rows.ts';

const LIMITS = { keepAgentLogBytes: 1_000, keepAgentLogStreams: 5, keepLogBytes: 2_000 };
const BIG = 10_000;

let directory: string;
let database: ConsoleDatabase;
let asked: string[];
let logs: RunLogStore;
let second: number;

/** The database, and what it was asked. */
const listening = (): ConsoleDatabase => ({
  ...database,
  prepare(text) {
    asked.push(text);
    return database.prepare(text);
  },
  sql: new Proxy(database.sql, {
    get: (sql, name) => {
      if (name !== 'prepare') return Reflect.get(sql, name) as unknown;
      return (text: string) => {
        asked.push(text);
        return sql.prepare(text);
      };
    },
  }),
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'run-logs-'));
  database = openDatabase(join(directory, 'console.db'));
  database.sql.exec("INSERT INTO tenants VALUES ('acme', '', '{}', 'h', '2026-11-20T00:00:00Z')");
  for (const id of ['a1', 'a2', 'a3']) {
    database.sql.exec(
      `INSERT INTO agents (agent_id, slug, thumbprint, device_jwk, git_token_hash, hostname, os, arch, agent_version, enrolled_at)
       VALUES ('${id}', 'acme', '${id}', '{}', '${id}', 'pc', 'linux', 'x64', '1', '2026-11-20T00:00:00Z')`,
    );
  }
  asked = [];
  second = 0;
  logs = createRunLogStore(createLogRows(listening()), join(directory, 'logs'));
});
afterEach(() => {
  database.close();
  rmSync(directory, { recursive: true, force: true });
});

const print = async (agentId: string, runId: string, offset: number, text: string) => {
  second += 1;
  const at = new Date(Date.UTC(2026, 10, 20) + 1_000 * second);
  const stream = { agent_id: agentId, run_id: runId, attempt: 1, stream: 'stdout' } as const;
  return logs.append(stream, offset, Buffer.from(text), at, BIG);
};
const rows = () =>
  (
    database.sql.prepare('SELECT agent_id, run_id FROM run_logs ORDER BY updated_at').all() as {
      agent_id: string;
      run_id: string;
    }[]
  ).map(({ agent_id, run_id }) => `${agent_id}/${run_id}`);

describe('streams of an agent', () => {
  it('that bring no byte are not begun', async () => {
    for (let n = 0; n < 20; n += 1)
      expect(await print('a1', `r${n}`, 0, '')).toEqual({ kind: 'taken', next: 0, added: 0 });
    expect(rows()).toEqual([]);
    expect(readdirSync(directory)).not.toContain('logs');
    await print('a1', 'r1', 0, 'x');
    expect(await print('a1', 'r1', 0, '')).toEqual({ kind: 'taken', next: 1, added: 0 });
    expect(await print('a1', 'r2', 7, '')).toEqual({ kind: 'gap', next: 0 });
  });

  it('are so many at most, whatever is in them', async () => {
    for (let n = 0; n < 20; n += 1) await print('a1', `r${n}`, 0, 'x');
    await logs.settle(LIMITS);
    expect(rows()).toEqual(['a1/r15', 'a1/r16', 'a1/r17', 'a1/r18', 'a1/r19']);
  });
});

describe('the logs of all agents', () => {
  const settle = async () => {
    asked = [];
    return logs.settle(LIMITS);
  };
  const readsAll = () =>
    asked.filter((text) => /FROM run_logs/.test(text) && !/WHERE .*agent_id = \?/s.test(text));

  it('are added up once, and not at every look', async () => {
    await print('a1', 'r1', 0, 'x'.repeat(500));
    await settle();
    await print('a1', 'r1', 500, 'x'.repeat(100));
    await print('a2', 'r2', 0, 'x'.repeat(900));
    expect(await settle()).toBe(0);
    expect(readsAll()).toEqual([]);
  });

  it('are kept within bounds by what was added and what went: the oldest goes first', async () => {
    await print('a1', 'r1', 0, 'x'.repeat(600));
    await settle();
    await print('a2', 'r2', 0, 'x'.repeat(600));
    await print('a2', 'r2', 600, 'x'.repeat(300));
    expect(await settle()).toBe(0);
    await print('a3', 'r3', 0, 'x'.repeat(490));
    expect(await settle()).toBe(0);
    await print('a3', 'r3', 490, 'x'.repeat(100));
    // 2,090 bytes: down to nine tenths of what may be kept.
    expect(await settle()).toBe(1);
    expect(rows()).toEqual(['a2/r2', 'a3/r3']);
    // 1,490 are left, so that there is room for 510.
    await print('a1', 'r4', 0, 'x'.repeat(510));
    expect(await settle()).toBe(0);
    await print('a1', 'r4', 510, 'x');
    expect(await settle()).toBe(1);
    expect(rows()).toEqual(['a3/r3', 'a1/r4']);
  });

  it('are added up anew by a console that starts', async () => {
    await print('a1', 'r1', 0, 'x'.repeat(900));
    await print('a2', 'r2', 0, 'x'.repeat(900));
    await settle();
    logs = createRunLogStore(createLogRows(listening()), join(directory, 'logs'));
    expect(await settle()).toBe(0);
    await print('a3', 'r3', 0, 'x'.repeat(201));
    expect(await settle()).toBe(1);
    expect(rows()).toEqual(['a2/r2', 'a3/r3']);
  });
});
