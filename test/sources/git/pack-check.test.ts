import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GIT_BUDGETS } from '../../../sources/git/budgets.ts';
import { GitFault } from '../../../sources/git/git-fault.ts';
import { hexOf, idOf } from '../../../sources/git/git-objects.ts';
import { openObjects } from '../../../sources/git/object-reader.ts';
import { checkPack } from '../../../sources/git/pack-check.ts';
import { applyDelta } from '../../../sources/git/pack-delta.ts';
import { writePackIndex } from '../../../sources/git/pack-index.ts';
import { createRepository, type TestRepository } from '../../support/git-server.ts';
import { entryOf, makeObject, makePack, packEntry } from '../../support/pack-maker.ts';

let folder: string;
let repository: TestRepository;
let pack: Buffer;
let index: Buffer;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pack-check-'));
  repository = createRepository(join(folder, 'git'));
  const lines = Array.from({ length: 300 }, (_, n) => `line ${n}\n`);
  for (let n = 0; n < 60; n += 1) {
    lines[n * 4] = `changed ${n}\n`;
    const oid = repository.commit({
      ref: 'refs/heads/main',
      files: { 'a/b/manifest.json': lines.join(''), 'other.txt': `${n}`, empty: '' },
    });
    if (n % 10 === 0) repository.tag(`v${n}`, oid, 'annotated');
  }
  repository.git('repack', '-adfq', '--depth=50', '--window=100');
  const packs = join(repository.path, 'objects', 'pack');
  const [name = ''] = readdirSync(packs).filter((file) => file.endsWith('.pack'));
  pack = readFileSync(join(packs, name));
  index = readFileSync(join(packs, name.replace(/pack$/, 'idx')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const check = (bytes: Buffer, limits: Partial<typeof GIT_BUDGETS> = {}) =>
  checkPack(bytes, { ...GIT_BUDGETS, ...limits }, () => {});
const faultOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return error instanceof GitFault ? error.code : error;
  }
  return null;
};

describe('a pack of git', () => {
  test('gets the index that git itself writes, byte for byte', () => {
    const checked = check(pack);
    expect(writePackIndex(checked.objects, checked.checksum).equals(index)).toBe(true);
    expect([...checked.outside]).toEqual([]);
    expect(checked.commits.size).toBe(60);
  });

  test('gets it too when hardly any base is remembered', () => {
    const checked = check(pack, { baseCacheBytes: 1 });
    expect(writePackIndex(checked.objects, checked.checksum).equals(index)).toBe(true);
  });

  test('is read object by object as git reads it', () => {
    const objects = openObjects([repository.path]);
    const lines = repository.git('cat-file', '--batch-all-objects', '--batch-check').split('\n');
    expect(lines.length).toBeGreaterThan(200);
    for (const line of lines) {
      const [oid = '', kind = '', size = ''] = line.split(' ');
      const found = objects.read(idOf(oid), GIT_BUDGETS.objectBytes);
      expect([found?.kind, found?.content.length]).toEqual([kind, Number(size)]);
    }
    const [largest = ''] = lines.filter((line) => Number(line.split(' ')[2]) > 2_000);
    expect(faultOf(() => objects.read(idOf(largest.slice(0, 40)), 1_000))).toBe('source_too_large');
    expect(objects.read(idOf('f'.repeat(40)), 1_000)).toBeNull();
    objects.close();
  });

  test('is refused with any byte changed, and with any end cut off', () => {
    fc.assert(
      fc.property(fc.nat(pack.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Buffer.from(pack);
        damaged[at] = (damaged[at] as number) ^ change;
        expect(faultOf(() => check(damaged))).toMatch(/^source_(?:malformed|too_large)$/);
        expect(faultOf(() => check(pack.subarray(0, at)))).toBe('source_malformed');
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ['packObjects', 10],
    ['objectBytes', 1_000],
    ['inflatedBytes', 50_000],
    ['workBytes', 60_000],
  ] as const)('is refused when it goes beyond %s', (budget, value) => {
    expect(faultOf(() => check(pack, { [budget]: value }))).toBe('source_too_large');
  });
});

describe('a pack made by somebody else', () => {
  // With a right checksum, so that what is behind it is reached.
  test('never makes the check fail otherwise than as a fault', () => {
    const body = pack.subarray(0, -20);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 8, max: body.length - 1 }), fc.nat(255)), {
          minLength: 1,
          maxLength: 4,
        }),
        (changes) => {
          const damaged = Buffer.from(body.subarray(12));
          for (const [at, byte] of changes) damaged[Math.max(0, at - 12)] = byte;
          const code = faultOf(() => check(makePack([damaged], pack.readUInt32BE(8))));
          expect([null, 'source_malformed', 'source_too_large']).toContain(code);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('may have deltas before their bases', () => {
    const base = makeObject('blob', 'a base of some length');
    const made = makeObject('blob', 'a base of some length!');
    const delta = Buffer.from([21, 22, 0x90, 21, 1, 33]);
    const first = packEntry(7, delta.length, deflateSync(delta), Buffer.from(base.oid, 'hex'));
    const checked = check(makePack([first, entryOf(base)]));
    expect(checked.objects.map(({ id }) => hexOf(id)).sort()).toEqual([base.oid, made.oid].sort());
  });

  test('may not have deltas on one another in a circle, nor an object twice', () => {
    const entries = [1, 2].map((n) =>
      packEntry(7, 4, deflateSync(Buffer.from([1, 1, 1, 65 + n])), Buffer.alloc(20, n)),
    );
    expect(faultOf(() => check(makePack(entries)))).toBe('source_malformed');
    const blob = entryOf(makeObject('blob', 'x'));
    expect(faultOf(() => check(makePack([blob, blob])))).toBe('source_malformed');
  });

  test('may not stack deltas without end', () => {
    const base = makeObject('blob', 'x');
    const entries = [entryOf(base)];
    let previous = base;
    for (let n = 0; n < 30; n += 1) {
      const next = makeObject('blob', `${previous.content.toString()}y`);
      const size = previous.content.length;
      const delta = Buffer.from([size, size + 1, 0x90, size, 1, 121]);
      entries.push(packEntry(7, delta.length, deflateSync(delta), Buffer.from(previous.oid, 'hex')));
      previous = next;
    }
    expect(faultOf(() => check(makePack(entries)))).toBeNull();
    expect(faultOf(() => check(makePack(entries), { deltaDepth: 29 }))).toBe('source_malformed');
  });
});

test('a delta never reads or writes beyond its objects, whatever it says', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (base, delta) => {
      const code = faultOf(() => applyDelta(base, delta, 100_000));
      expect([null, 'source_malformed', 'source_too_large']).toContain(code);
    }),
    { numRuns: 2_000 },
  );
});
