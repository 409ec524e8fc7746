import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createUnpacker, type SpawnChild, type Unpacker } from '../../../store/archive/unpacker.ts';
import { canInject } from '../../faults/strace.ts';
import { type Bundle, bundleFrom, bundleOf } from '../../support/bundles.ts';
import { plantCanaries, snapshotOf } from '../../support/canary-tree.ts';
import { largeTar } from '../../support/hostile-archives/compressed.ts';
import { spawnUnpacker } from '../../support/spawn-unpacker.ts';
import { type StoppedChild, stopAtFirstDirectory } from '../../support/stopped-child.ts';

// A guard against hanging on a busy machine; seconds are enough on a quiet one.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const posix = process.platform !== 'win32';
const noise = largeTar().subarray(512, 512 + 1_000_000);
/** Read in pieces, so that the second pass goes to the disk again; the other is kept in memory from the first. */
const large = bundleOf({ 'main.py': 'print(1)', 'noise.bin': noise });
const small = bundleOf({ 'main.py': 'print(1)' });
const evil = bundleFrom([
  { name: 'main.py', content: 'evil' },
  { name: '../evil', content: 'x' },
]);

let folder: string;
let kept: string;
let unpacker: Unpacker;
let ended: AbortController;
beforeEach(() => {
  ended = new AbortController();
  folder = mkdtempSync(join(tmpdir(), 'changed-'));
  plantCanaries(folder);
  for (const name of ['staging', 'unpacking']) mkdirSync(join(folder, name));
  kept = join(folder, 'staging', 'kept.bundle');
});
afterEach(async () => {
  ended.abort();
  await unpacker.close();
  rmSync(folder, { recursive: true, force: true });
});

function ask(bundle: Bundle, spawnChild: SpawnChild = spawnUnpacker, deadlineMs = 60_000) {
  unpacker = createUnpacker({
    spawnChild,
    read: [join(folder, 'staging')],
    write: [join(folder, 'unpacking')],
    idleMs: 100,
  });
  const into = join(folder, 'unpacking', 'into');
  const request = { bundle: kept, sha256: bundle.sha256, into, maxBytes: 1e8, maxFiles: 100 };
  return unpacker.unpack(request, async () => undefined, {
    signal: new AbortController().signal,
    deadlineMs,
  });
}
const around = () =>
  snapshotOf(folder).filter((line) => !line.startsWith('unpacking/') && !line.startsWith('staging/'));

describe('a kept download that changed since its digest was verified', () => {
  it.each<[string, () => void]>([
    ['has other bytes', () => writeFileSync(kept, evil.bytes)],
    [
      'has one other byte',
      () => writeFileSync(kept, Buffer.concat([small.bytes.subarray(0, -1), Buffer.from('!')])),
    ],
    ['is cut short', () => writeFileSync(kept, small.bytes.subarray(0, 40))],
    ['is empty', () => writeFileSync(kept, '')],
    [
      'has more behind its end',
      () => writeFileSync(kept, Buffer.concat([small.bytes, Buffer.alloc(3_000_000)])),
    ],
    ['is a folder', () => mkdirSync(kept)],
  ])('is not unpacked when it %s', async (_what, change) => {
    change();
    const before = around();
    expect(await ask(small)).toMatchObject({ kind: 'altered' });
    expect(readdirSync(join(folder, 'unpacking'))).toEqual([]);
    expect(around()).toEqual(before);
  });

  it.runIf(posix).each<[string, () => unknown]>([
    [
      'a link to the same bytes',
      () => {
        writeFileSync(join(folder, 'staging', 'elsewhere'), small.bytes);
        symlinkSync('elsewhere', kept);
      },
    ],
    ['a link to an endless device', () => symlinkSync('/dev/zero', kept)],
    ['a link to nothing', () => symlinkSync('nowhere', kept)],
    ['a pipe that nobody writes to', () => execFileSync('mkfifo', [kept])],
    ['a socket', () => new Promise<void>((resolve) => createServer().listen(kept, resolve).unref())],
  ])('is not read when there is %s in its place', async (_what, plant) => {
    await plant();
    expect(await ask(small, spawnUnpacker, 20_000)).toMatchObject({ kind: 'altered' });
    expect(readdirSync(join(folder, 'unpacking'))).toEqual([]);
  });

  it('is said to be gone when it is', async () => {
    expect(await ask(small)).toMatchObject({ kind: 'failed', code: 'ENOENT' });
  });
});

describe.skipIf(!posix || !canInject())(
  'a kept download that changes between the list pass and the unpack pass',
  () => {
    const elsewhere = () => {
      writeFileSync(join(folder, 'staging', 'evil'), evil.bytes);
      return join(folder, 'staging', 'evil');
    };
    /** The whole archive was read, and the folder is there and empty. */
    const listed = async (child: StoppedChild) => {
      const into = join(folder, 'unpacking', 'into');
      await expect.poll(() => existsSync(into) && child.stopped(), { timeout: 50_000 }).toBe(true);
      expect(readdirSync(into)).toEqual([]);
    };
    const ALTERED: readonly [string, () => void][] = [
      ['gets other bytes', () => writeFileSync(kept, evil.bytes)],
      [
        'gets another archive of the same length',
        () => {
          const bytes = Buffer.from(large.bytes);
          bytes.set(bundleOf({ 'main.py': 'print(2)', 'noise.bin': noise }).bytes.subarray(0, bytes.length));
          writeFileSync(kept, bytes);
        },
      ],
      ['is cut short', () => truncateSync(kept, 600_000)],
      ['is emptied', () => truncateSync(kept, 0)],
      ['grows', () => appendFileSync(kept, Buffer.alloc(700_000))],
    ];
    it.each(ALTERED)('is given up when it %s', async (_what, change) => {
      writeFileSync(kept, large.bytes);
      const before = around();
      const child = stopAtFirstDirectory(spawnUnpacker);
      const asked = ask(large, child.spawnChild);
      await listed(child);
      change();
      child.resume();
      expect(await asked).toMatchObject({ kind: 'altered' });
      expect(around()).toEqual(before);
    });

    const KEPT: readonly [string, Bundle, () => void][] = [
      ['is replaced by another file', large, () => renameSync(elsewhere(), kept)],
      [
        'is replaced by a link',
        large,
        () => {
          rmSync(kept);
          symlinkSync(elsewhere(), kept);
        },
      ],
      ['is removed', large, () => rmSync(kept)],
      [
        'gets other bytes, and was small enough to stay in memory',
        small,
        () => writeFileSync(kept, evil.bytes),
      ],
    ];
    it.each(KEPT)('is unpacked as it was hashed when it %s', async (_what, bundle, change) => {
      writeFileSync(kept, bundle.bytes);
      const before = around();
      const child = stopAtFirstDirectory(spawnUnpacker);
      const asked = ask(bundle, child.spawnChild);
      await listed(child);
      change();
      child.resume();
      expect(await asked).toMatchObject({ kind: 'unpacked' });
      expect(readFileSync(join(folder, 'unpacking', 'into', 'main.py'), 'utf8')).toBe('print(1)');
      expect(around()).toEqual(before);
    });
  },
);
