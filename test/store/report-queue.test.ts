import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../store/database.ts';
import { createReportQueue } from '../../store/report-queue.ts';

const at = (minute: number) => new Date(Date.UTC(2026, 10, 20, 15, minute));
let folder: string;
let database: Database;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reports-'));
  database = openDatabase(join(folder, 'agent.db'));
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('createReportQueue', () => {
  it('hands out what is due of a kind, oldest first, at most the limit', () => {
    const queue = createReportQueue(database);
    queue.add({ kind: 'notify', key: 'r1.1', body: { n: 1 }, at: at(0) });
    queue.add({ kind: 'notify', key: 'r2.1', body: { n: 2 }, at: at(1) });
    queue.add({ kind: 'notify', key: 'r3.1', body: { n: 3 }, at: at(5) });
    queue.add({ kind: 'status', key: 's', body: {}, at: at(0) });
    expect(queue.due('notify', at(2), 9).map(({ body }) => body)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(queue.due('notify', at(9), 1).map(({ key }) => key)).toEqual(['r1.1']);
    expect(queue.due('events', at(9), 9)).toEqual([]);
  });

  it('queues a key once, until it is delivered', () => {
    const queue = createReportQueue(database);
    queue.add({ kind: 'notify', key: 'r1.1', body: 'first', at: at(0) });
    queue.add({ kind: 'notify', key: 'r1.1', body: 'again', at: at(1) });
    const [only, ...rest] = queue.due('notify', at(9), 9);
    expect([only?.body, rest]).toEqual(['first', []]);
    queue.delivered(only?.id ?? 0);
    expect(queue.list(9)).toEqual([]);
    queue.add({ kind: 'notify', key: 'r1.1', body: 'later', at: at(2) });
    expect(queue.totals().pending).toBe(1);
  });

  it('keeps only the newest body of a kind that is replaced, even while the older one is on its way', () => {
    const queue = createReportQueue(database);
    queue.add({ kind: 'status', key: 's1', body: 1, at: at(0), replace: true });
    const [onItsWay] = queue.due('status', at(0), 1);
    queue.add({ kind: 'status', key: 's2', body: 2, at: at(1), replace: true });
    queue.delivered(onItsWay?.id ?? 0);
    expect(queue.list(9).map(({ body }) => body)).toEqual([2]);
  });

  it('lets a replacement wait as long as what it replaces, unless that was parked', () => {
    const queue = createReportQueue(database);
    queue.add({ kind: 'status', key: 's1', body: 1, at: at(0), replace: true });
    queue.postpone(queue.list(1)[0]?.id ?? 0, 3, at(8), 'no answer');
    queue.add({ kind: 'status', key: 's2', body: 2, at: at(1), replace: true });
    expect(queue.list(9)).toMatchObject([{ body: 2, attempts: 3, last_error: 'no answer' }]);
    expect(queue.nextDueAt('status')).toEqual(at(8));
    queue.park(queue.list(1)[0]?.id ?? 0, '400');
    queue.add({ kind: 'status', key: 's3', body: 3, at: at(2), replace: true });
    expect(queue.list(9)).toMatchObject([{ body: 3, attempts: 0, parked: null }]);
    expect(queue.nextDueAt('status')).toEqual(at(2));
  });

  it('postpones, parks, unparks and hurries', () => {
    const queue = createReportQueue(database);
    queue.add({ kind: 'notify', key: 'a', body: 1, at: at(0) });
    queue.add({ kind: 'notify', key: 'b', body: 2, at: at(0) });
    const [a, b] = queue.due('notify', at(0), 9).map(({ id }) => id);
    queue.postpone(a ?? 0, 1, at(30), '503');
    queue.park(b ?? 0, '422: no such run');
    expect(queue.due('notify', at(29), 9)).toEqual([]);
    expect(queue.nextDueAt('notify')).toEqual(at(30));
    expect(queue.totals()).toEqual({ pending: 1, oldest_at: at(0).toISOString(), parked: 1 });
    expect(queue.list(9)).toMatchObject([
      { key: 'a', attempts: 1, last_error: '503', parked: null },
      { key: 'b', parked: '422: no such run' },
    ]);
    queue.hurry(at(10));
    expect(queue.due('notify', at(10), 9).map(({ key }) => key)).toEqual(['a']);
    expect(queue.unpark(at(11))).toBe(1);
    expect(queue.due('notify', at(11), 9).map(({ key }) => key)).toEqual(['a', 'b']);
    expect(queue.totals().parked).toBe(0);
  });

  it('says that nothing waits when nothing waits', () => {
    const queue = createReportQueue(database);
    expect(queue.nextDueAt('notify')).toBeNull();
    expect(queue.totals()).toEqual({ pending: 0, oldest_at: null, parked: 0 });
  });

  it('is undone with the transaction it was part of', () => {
    const queue = createReportQueue(database);
    expect(() =>
      database.transaction(() => {
        queue.add({ kind: 'notify', key: 'a', body: 1, at: at(0) });
        throw new Error('crash');
      }),
    ).toThrow('crash');
    expect(queue.list(9)).toEqual([]);
  });
});
