import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canInject, type Injection, readTrace, runTraced } from './strace.ts';

const DRIVER = new URL('group-commit-driver.ts', import.meta.url).pathname;
const PAIRS = Array.from({ length: 12 }, (_, pair) => pair);

describe.skipIf(!canInject())('what the console promised to keep', () => {
  let folder: string;
  let compileCache: string;
  let next = 0;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'group-commit-'));
    compileCache = join(folder, 'compiled');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const run = async (options: { log?: string; inject?: Injection }) => {
    next += 1;
    const path = join(folder, `${next}.db`);
    const { stdout, signal } = await runTraced(DRIVER, [path], { ...options, compileCache });
    const said = (word: string) =>
      [...stdout.matchAll(new RegExp(`^${word} (\\d+)$`, 'gm'))].map(([, pair]) => Number(pair));
    const sql = new DatabaseSync(path);
    const rows = stdout.startsWith('ready')
      ? (sql
          .prepare('SELECT pair, group_concat(half) AS halves FROM notes GROUP BY pair ORDER BY min(rowid)')
          .all() as {
          pair: number;
          halves: string;
        }[])
      : [];
    sql.close();
    return { kept: said('kept'), lost: said('lost'), rows, signal };
  };

  /** The flushes of the four waves, as counted by the thread that makes them; closing makes two more. */
  const waveFlushes = async () => {
    const log = join(folder, 'trace');
    const { kept } = await run({ log });
    expect(kept).toEqual(PAIRS);
    const flushes = readTrace(log).filter(({ call }) => call === 'fsync');
    return flushes.slice(-6, -2).map(({ n }) => n);
  };

  it('costs one flush for all that arrived together, and is there after a kill, whole', async () => {
    for (const [wave, n] of (await waveFlushes()).entries()) {
      const { kept, rows, signal } = await run({ inject: { call: 'fsync', n, fault: 'KILL' } });
      expect({ signal, kept }).toEqual({ signal: 'SIGKILL', kept: PAIRS.slice(0, 3 * wave) });
      expect(rows.map(({ pair }) => pair).slice(0, kept.length)).toEqual(kept);
      for (const { halves } of rows) expect(halves).toBe('left,right');
    }
  });

  it.each(['EIO', 'ENOSPC'] as const)(
    'is refused whole when the disk fails (%s), and the next is taken',
    async (fault) => {
      const [, second = 0] = await waveFlushes();
      const { kept, lost, rows, signal } = await run({ inject: { call: 'fsync', n: second, fault } });
      expect({ signal, kept, lost }).toEqual({
        signal: null,
        kept: [0, 1, 2, 6, 7, 8, 9, 10, 11],
        lost: [3, 4, 5],
      });
      expect(rows.map(({ pair }) => pair)).toEqual(kept);
    },
  );
});
