import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeCompleteMark } from '../../store/complete-mark.ts';
import { createKnownIntact } from '../../store/known-intact.ts';
import { hashFolder } from '../../store/tree-hash.ts';
import { createSystemClock } from '../../system/clock.ts';

const { signal } = new AbortController();
let folder: string;
let nowMs = 0;
const clock = { ...createSystemClock(), monotonicMs: () => nowMs };

beforeEach(async () => {
  nowMs = 0;
  folder = mkdtempSync(join(tmpdir(), 'edge-known-'));
  mkdirSync(join(folder, 'lib'));
  writeFileSync(join(folder, 'main.py'), 'print(1)\n');
  writeFileSync(join(folder, 'lib', 'data'), 'data');
  const hashed = await hashFolder(folder, signal);
  if (hashed.kind !== 'hashed') throw new Error(hashed.path);
  const { files, bytes, sha256: tree_sha256 } = hashed;
  const unpacked_at = '2026-11-20T12:00:00.000Z';
  await writeCompleteMark(folder, {
    format: 1,
    sha256: 'a'.repeat(64),
    tree_sha256,
    files,
    bytes,
    unpacked_at,
  });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Bytes under another version's mark: only hashing finds out that they are not what was unpacked. */
const rewriteMark = async () => {
  rmSync(join(folder, '.complete'));
  const mark = {
    format: 1,
    sha256: 'a'.repeat(64),
    tree_sha256: 'b'.repeat(64),
    files: 2,
    bytes: 13,
  } as const;
  await writeCompleteMark(folder, { ...mark, unpacked_at: '2026-11-20T12:00:00.000Z' });
};

it('hashes a version that it does not know', async () => {
  const known = createKnownIntact(clock);
  expect((await known.touched(folder, signal)).kind).toBe('intact');
  await rewriteMark();
  expect((await createKnownIntact(clock).touched(folder, signal)).kind).toBe('drifted');
});

it('does not hash again what nobody touched, for some hours', async () => {
  const known = createKnownIntact(clock);
  await known.deep(folder, signal);
  await rewriteMark();
  nowMs = 11 * 3_600_000;
  expect((await known.touched(folder, signal)).kind).toBe('intact');
  nowMs = 13 * 3_600_000;
  expect((await known.touched(folder, signal)).kind).toBe('drifted');
});

it('finds a byte that was changed by somebody who put size and time back', async () => {
  const known = createKnownIntact(clock);
  await known.deep(folder, signal);
  const file = join(folder, 'lib', 'data');
  const { atime, mtime } = statSync(file);
  writeFileSync(file, 'dat_');
  utimesSync(file, atime, mtime);
  expect((await known.touched(folder, signal)).kind).toBe('drifted');
});

it.each([
  ['a file that was added', () => writeFileSync(join(folder, 'lib', 'more'), '')],
  ['a file that is gone', () => rmSync(join(folder, 'main.py'))],
  ['a right to execute', () => chmodSync(join(folder, 'main.py'), 0o755)],
  ['an empty folder', () => mkdirSync(join(folder, 'lib', 'empty'))],
])('finds %s', async (_what, change) => {
  const known = createKnownIntact(clock);
  await known.deep(folder, signal);
  change();
  expect((await known.touched(folder, signal)).kind).toBe('drifted');
});

it('hashes every time when it is asked to', async () => {
  const known = createKnownIntact(clock);
  await known.deep(folder, signal);
  await rewriteMark();
  expect((await known.deep(folder, signal)).kind).toBe('drifted');
});
