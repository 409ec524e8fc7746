import { createCipheriv } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVersionStore } from '../../store/cache.ts';
import { openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { createSystemClock } from '../../system/clock.ts';
import { bundleOf } from '../support/bundles.ts';
import { spawnUnpacker } from '../support/spawn-unpacker.ts';
import { canInject, type Injection, readTrace, runTraced, type SystemCall } from './strace.ts';

const DRIVER = fileURLToPath(new URL('store-driver.ts', import.meta.url));
/** How many of all moments are tried; EDGE_AGENT_FAULTS=all tries every one. */
const ALL = process.env['EDGE_AGENT_FAULTS'] === 'all';
const POINTS = ALL ? Number.POSITIVE_INFINITY : 12;
const never = new AbortController().signal;
/** Incompressible, and the same every time: the moments are counted in one run and hit in others. */
const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(
  Buffer.alloc(1_300_000),
);
const bundles = {
  v1: bundleOf({ 'main.py': 'print(1)', 'lib/a.py': 'x' }),
  v2: bundleOf({ 'main.py': 'print(2)', 'lib/a.py': '', 'data.bin': noise }),
};
const IDLE = { removedStaging: 0, removedTrash: 0, damaged: [], databaseFollowed: false };

describe.skipIf(!canInject())(
  'the store, from download to activation',
  { timeout: ALL ? 1_200_000 : 60_000 },
  () => {
    let folder: string;
    let calls: SystemCall[];
    let fresh = 0;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'crash-'));
      for (const [version, { bytes }] of Object.entries(bundles)) writeFileSync(join(folder, version), bytes);
      await drive(join(folder, 'before'), 'v1');
      // Once without a fault, to know the moments.
      const cache = copyOfBefore();
      const log = join(folder, 'log');
      await drive(cache, 'v2', { log });
      calls = readTrace(log);
    }, 180_000);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    const drive = (cache: string, version: 'v1' | 'v2', options: { log?: string; inject?: Injection } = {}) =>
      runTraced(DRIVER, [cache, join(folder, version), bundles[version].sha256, version], {
        ...options,
        compileCache: join(folder, 'compiled'),
      });
    const copyOfBefore = () => {
      const cache = join(folder, `cache-${++fresh}`);
      cpSync(join(folder, 'before'), cache, { recursive: true });
      return cache;
    };

    /** What must hold after any fault (design.md, crash protocol); the active version, once everything is recovered. */
    async function recoverAndCheck(cache: string): Promise<string> {
      const state = join(cache, '.agent');
      const database = openDatabase(join(state, 'agent.db'));
      const documents = createStateDocuments(database);
      const options = {
        cacheDirectory: cache,
        slug: 'acme',
        stateDirectory: state,
        documents,
        spawnChild: spawnUnpacker,
      };
      const store = createVersionStore({ ...options, clock: createSystemClock() });
      try {
        const recovered = await store.recover(new Date());
        expect(recovered.damaged).toEqual([]);
        const active = store.current().flows['bot'];
        expect(['v1', 'v2']).toContain(active?.version);
        for (const { path, sha256 } of await store.versions()) {
          expect(Object.values(bundles).map((bundle) => bundle.sha256)).toContain(sha256);
          expect(await store.check(path, 'deep', never)).toEqual({ kind: 'intact' });
        }
        expect(await store.record(active?.path ?? '')).toMatchObject({ sha256: active?.sha256 });
        // The database never runs ahead of the pointer, and whether it was behind is said.
        const followed = documents.read('outbox');
        expect(recovered.databaseFollowed).toBe(followed !== active?.version);
        expect(await store.recover(new Date())).toEqual(IDLE);
        return active?.version ?? '';
      } finally {
        await store.close();
        database.close();
      }
    }

    /** Then the same work, done again, ends well. */
    async function finishAfterwards(cache: string): Promise<void> {
      const again = await drive(cache, 'v2');
      expect(JSON.parse(again.stdout)).toMatchObject({ outcome: { kind: 'activated' } });
      expect(await recoverAndCheck(cache)).toBe('v2');
    }

    /** Every moment once: the first thread that makes the n-th call of a name is the one that is hit. */
    function moments(): SystemCall[] {
      const seen = new Set<string>();
      const all = calls.filter(({ call, n }) => !seen.has(`${call} ${n}`) && seen.add(`${call} ${n}`));
      const step = Math.max(1, all.length / POINTS);
      return Array.from(
        { length: Math.min(POINTS, all.length) },
        (_, at) => all[Math.floor(at * step)],
      ).filter((moment) => moment !== undefined);
    }
    const first = (after: RegExp, call: string): Injection => {
      const from = calls.findIndex(({ line }) => after.test(line));
      const found = calls.slice(from + 1).find((one) => one.call === call);
      if (from === -1 || found === undefined)
        throw new Error(`expected a ${call} after ${after} in the trace`);
      return { call, n: found.n, fault: 'EIO' };
    };
    const RENAMED_BUNDLE = /rename\(.*\.bundle"\)/;
    const RENAMED_VERSION = /rename\(.*flows\/bot\/v2"\)/;
    const RENAMED_POINTER = /rename\(.*current\.json"\)/;

    it('makes the moves of the crash protocol, in their order', () => {
      const order = [RENAMED_BUNDLE, RENAMED_VERSION, RENAMED_POINTER].map((move) =>
        calls.findIndex(({ line }) => move.test(line)),
      );
      expect(order.every((at, n) => at > (order[n - 1] ?? -1))).toBe(true);
      const between = (from: number, to: number) =>
        calls.slice(from, to).filter(({ call }) => call === 'fsync').length;
      const [bundle = 0, version = 0, pointer = 0] = order;
      // The tree: three files, their folder, the mark and the outermost folder. Then the three folders above. Then the pointer.
      expect(between(bundle, version)).toBe(6);
      expect(between(version, pointer)).toBe(4);
      expect(between(pointer, calls.length)).toBeGreaterThanOrEqual(2);
    });

    it('is whole again after it was killed at any moment', async () => {
      const outcomes = new Map<string, number>();
      for (const { call, n, line } of moments()) {
        const cache = copyOfBefore();
        const { signal } = await drive(cache, 'v2', { inject: { call, n, fault: 'KILL' } });
        const active = await recoverAndCheck(cache).catch((error: unknown) => {
          throw new Error(`killed at ${line}: ${(error as Error).message}`, { cause: error });
        });
        const key = `${signal === null ? 'finished' : 'killed'} ${active}`;
        outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
        // What is found half done differs by where it stopped: every second one shows enough.
        if (active !== 'v2' && (ALL || n % 2 === 0)) await finishAfterwards(cache);
      }
      // The moments lie on both sides of the pointer, or this shows nothing.
      expect([...outcomes.keys()]).toEqual(expect.arrayContaining(['killed v1', 'killed v2']));
    });

    it.each<[string, () => Injection, Injection['fault'], object]>([
      [
        'a download that cannot be written',
        () => first(/\.agent/, 'pwritev'),
        'ENOSPC',
        { thrown: { name: 'DiskFullError', code: 'ENOSPC', message: expect.stringContaining('.part') } },
      ],
      [
        'a download that cannot be written out',
        () => first(/pwritev/, 'fsync'),
        'EIO',
        { thrown: { code: 'EIO' } },
      ],
      [
        'a tree that cannot be written out',
        () => first(RENAMED_BUNDLE, 'fsync'),
        'EIO',
        {
          outcome: { kind: 'retry', code: 'io_error', message: expect.stringMatching(/flows\/bot\/v2.*EIO/) },
        },
      ],
      [
        'a tree that finds the disk full late',
        () => first(RENAMED_BUNDLE, 'fsync'),
        'ENOSPC',
        { outcome: { kind: 'retry', code: 'disk_full', message: expect.stringMatching(/free some space/) } },
      ],
      [
        'a folder that cannot be closed',
        () => first(/chmod\(.*\/lib"/, 'chmod'),
        'EIO',
        { outcome: { kind: 'retry', code: 'io_error' } },
      ],
      [
        'a version that cannot be moved',
        () => ({ ...first(RENAMED_BUNDLE, 'rename'), fault: 'EIO' }),
        'EIO',
        { outcome: { kind: 'retry', code: 'io_error' } },
      ],
      [
        'a pointer that cannot be written out',
        () => first(RENAMED_VERSION, 'rename'),
        'ENOSPC',
        { thrown: { name: 'DiskFullError', message: expect.stringContaining('current.json') } },
      ],
    ])('says so and stays as it was: %s', async (_what, where, fault, expected) => {
      const cache = copyOfBefore();
      const { stdout, stderr } = await drive(cache, 'v2', { inject: { ...where(), fault } });
      expect(JSON.parse(stdout || JSON.stringify(stderr))).toMatchObject(expected);
      expect(await recoverAndCheck(cache)).toBe('v1');
      await finishAfterwards(cache);
    });
  },
);
