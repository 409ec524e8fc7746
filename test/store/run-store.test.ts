import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunRecord } from '../../reconciler/ports.ts';
import { type Database, openDatabase } from '../../store/database.ts';
import { createRunStore } from '../../store/run-store.ts';

let folder: string;
let database: Database;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runs-'));
  database = openDatabase(join(folder, 'agent.db'));
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function run(run_id: string, change: Partial<RunRecord> = {}): RunRecord {
  return {
    run_id,
    flow: 'invoice-bot',
    version: 'v1.0.7',
    state: 'queued',
    trigger: 'local',
    attempt: 0,
    queued_at: '2026-11-20T15:00:00Z',
    started_at: null,
    finished_at: null,
    exit_code: null,
    reason: null,
    sha256: null,
    revision: null,
    spec: null,
    path: 'v1.0.7',
    input: { a: 1 },
    timeout_ms: 900_000,
    process: null,
    ...change,
  };
}

describe('createRunStore', () => {
  it('gives a run back as it was put in, and null for one that is not there', () => {
    const runs = createRunStore(database);
    const record = run('r1', { process: { pid: 7, started: '42' }, input: { text: 'naïve' } });
    runs.insert(record);
    expect(runs.get('r1')).toEqual(record);
    expect(runs.get('r2')).toBeNull();
  });

  it('takes a run id once', () => {
    const runs = createRunStore(database);
    runs.insert(run('r1'));
    expect(() => runs.insert(run('r1', { state: 'running' }))).toThrow(/UNIQUE/);
    expect(runs.get('r1')?.state).toBe('queued');
  });

  it('changes only what the change names, and refuses to change a run that is not there', () => {
    const runs = createRunStore(database);
    runs.insert(run('r1'));
    runs.update('r1', { state: 'running', attempt: 1 });
    expect(runs.get('r1')).toEqual(run('r1', { state: 'running', attempt: 1 }));
    expect(() => runs.update('r2', { state: 'running' })).toThrow(/r2/);
  });

  it('lists the newest first by flow, by state, by both, at most the limit, whatever the clock did', () => {
    const runs = createRunStore(database);
    runs.insert(run('r1', { queued_at: '2030-01-01T00:00:00Z' }));
    runs.insert(run('r2', { flow: 'login', state: 'failed' }));
    runs.insert(run('r3', { state: 'running' }));
    runs.insert(run('r4', { flow: 'login', queued_at: '2020-01-01T00:00:00Z' }));
    const ids = (filter: Parameters<typeof runs.list>[0]) => runs.list(filter).map((found) => found.run_id);
    expect(ids({ limit: 9 })).toEqual(['r4', 'r3', 'r2', 'r1']);
    expect(ids({ limit: 2 })).toEqual(['r4', 'r3']);
    expect(ids({ flow: 'login', limit: 9 })).toEqual(['r4', 'r2']);
    expect(ids({ states: ['running', 'failed'], limit: 9 })).toEqual(['r3', 'r2']);
    expect(ids({ flow: 'login', states: ['failed'], limit: 9 })).toEqual(['r2']);
    expect(ids({ states: [], limit: 9 })).toEqual([]);
    expect(runs.count('queued')).toBe(2);
    runs.update('r4', { state: 'cancelled' });
    expect(runs.count('queued')).toBe(1);
  });

  it('names the versions that runs hold until they end, however many there are', () => {
    const runs = createRunStore(database);
    database.transaction(() => {
      runs.insert(run('first', { state: 'running', path: 'v1' }));
      for (let n = 0; n < 12_000; n += 1) runs.insert(run(`r${n}`, { path: n % 2 === 0 ? 'v2' : null }));
      runs.insert(run('ended', { state: 'failed', path: 'v3', finished_at: '2026-11-20T09:00:00Z' }));
    });
    expect(runs.leases().toSorted()).toEqual(['v1', 'v2']);
    runs.update('first', { state: 'succeeded', finished_at: '2026-11-20T09:00:00Z' });
    expect(runs.leases()).toEqual(['v2']);
  });

  it('forgets finished runs that ended before the time, whatever offset their times are written with', () => {
    const runs = createRunStore(database);
    runs.insert(run('old', { state: 'failed', finished_at: '2026-11-20T10:30:00+02:00' }));
    runs.insert(run('new', { state: 'failed', finished_at: '2026-11-20T09:00:00Z' }));
    runs.insert(run('open'));
    expect(runs.prune(new Date('2026-11-20T09:00:00Z'))).toEqual(['old']);
    expect(runs.list({ limit: 9 }).map((found) => found.run_id)).toEqual(['open', 'new']);
  });
});
