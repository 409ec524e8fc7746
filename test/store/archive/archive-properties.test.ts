import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { create } from 'tar';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { unpackBundle } from '../../../store/archive/unpack-bundle.ts';
import type { UnpackAnswer } from '../../../store/archive/unpack-messages.ts';
import { hashFolder } from '../../../store/tree-hash.ts';
import { type Bundle, type Compression, compress, gnuLong, pax, tarOf } from '../../support/bundles.ts';
import { plantCanaries, snapshotOf } from '../../support/canary-tree.ts';

// A guard against hanging on a busy machine; seconds are enough on a quiet one.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

/** Many times as many with EDGE_AGENT_SLOW_TESTS. */
const slow = process.env['EDGE_AGENT_SLOW_TESTS'] !== undefined;
const runs = (quick: number) => (slow ? quick * 50 : quick);
const posix = process.platform !== 'win32';

let around: string;
let folder: string;
beforeEach(() => {
  around = mkdtempSync(join(tmpdir(), 'properties-'));
  folder = join(around, 'state');
  plantCanaries(around);
  mkdirSync(folder);
});
afterEach(() => rmSync(around, { recursive: true, force: true }));

async function unpack({ bytes, sha256 }: Bundle): Promise<UnpackAnswer> {
  const bundle = join(folder, 'bundle');
  const into = join(folder, 'into');
  rmSync(into, { recursive: true, force: true });
  writeFileSync(bundle, bytes);
  return unpackBundle({ id: 1, bundle, sha256, into, maxBytes: 1e7, maxFiles: 1_000 }, () => undefined);
}

/** Paths to contents, or null for an empty folder: names that are right everywhere and differ everywhere. */
const segment = fc
  .tuple(
    fc.constantFrom('a', 'Überweisung', '請求書', 'with space', 'x'.repeat(99), 'é'.repeat(60)),
    fc.nat(40),
  )
  .map(([name, number]) => `${name}-${number}`);
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'));
const content = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.nat(3_000).map((length) => Buffer.alloc(length, 'edge')),
);
const tree = fc
  .dictionary(path, fc.tuple(fc.option(content, { freq: 4 }), fc.boolean()), {
    minKeys: 1,
    maxKeys: 12,
    noNullPrototype: true,
  })
  .map((entries) =>
    Object.fromEntries(
      Object.entries(entries).filter(
        ([name], _at, all) => !all.some(([other]) => other.startsWith(`${name}/`)),
      ),
    ),
  );

function write(root: string, entries: Readonly<Record<string, [Uint8Array | null, boolean]>>): void {
  mkdirSync(root, { recursive: true });
  for (const [name, [bytes, executable]] of Object.entries(entries)) {
    const at = join(root, name);
    mkdirSync(bytes === null ? at : dirname(at), { recursive: true });
    if (bytes !== null) writeFileSync(at, bytes, { mode: executable ? 0o755 : 0o644 });
  }
}

const writers: [string, (root: string) => Promise<Uint8Array>][] = [
  ...(posix ? ['gnu', 'pax', 'posix', 'oldgnu'] : []).map(
    (format): [string, (root: string) => Promise<Uint8Array>] => [
      `GNU tar as ${format}`,
      async (root) => execFileSync('tar', [`--format=${format}`, '-C', root, '-cf', '-', '.']),
    ],
  ),
  [
    'node-tar',
    async (root) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of create({ cwd: root }, readdirSync(root))) pieces.push(piece);
      return Buffer.concat(pieces);
    },
  ],
];

describe('a tree that a real program packed', () => {
  it.each(writers)('comes out as it went in: %s', async (_name, pack) => {
    const never = new AbortController().signal;
    await fc.assert(
      fc.asyncProperty(tree, fc.constantFrom<Compression>('gzip', 'zstd'), async (entries, compression) => {
        const root = join(folder, 'in');
        rmSync(root, { recursive: true, force: true });
        write(root, entries);
        const answer = await unpack(compress(await pack(root), compression));
        const wanted = await hashFolder(root, never);
        expect(answer).toMatchObject({
          kind: 'unpacked',
          tree_sha256: wanted.kind === 'hashed' && wanted.sha256,
        });
        expect(await hashFolder(join(folder, 'into'), never)).toEqual(wanted);
      }),
      { numRuns: runs(12) },
    );
  });
});

describe('an archive of which bytes were changed', () => {
  const honest = tarOf([
    { name: 'd/', type: '5' },
    { name: 'd/main.py', content: 'print(1)', mode: 0o755 },
    pax({ path: `d/${'é'.repeat(90)}`, size: '5', mtime: '1.5' }),
    { name: 'short', content: 'hello' },
    gnuLong(`e/${'n'.repeat(120)}`),
    { name: 'short', content: 'x'.repeat(600), magic: 'ustar  \0' },
    { name: 'link-to-be', content: '', link: '/etc/passwd' },
  ]);
  const change = fc.oneof(
    fc.record({
      kind: fc.constant('set' as const),
      at: fc.nat(honest.length - 1),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
    }),
    // What a header says matters most: its name, size, checksum, type and prefix.
    fc.record({
      kind: fc.constant('set' as const),
      at: fc
        .tuple(fc.nat(honest.length / 512 - 1), fc.constantFrom(0, 1, 100, 124, 135, 148, 156, 157, 257, 345))
        .map(([block, at]) => block * 512 + at),
      bytes: fc
        .constantFrom('../', '/', '2', '1', 'x', 'g', 'L', 'S', '\0', '7777777', '\u0080')
        .map((text) => Buffer.from(text, 'latin1')),
    }),
    fc.record({ kind: fc.constant('cut' as const), at: fc.nat(honest.length), length: fc.nat(2_000) }),
    fc.record({ kind: fc.constant('repeat' as const), at: fc.nat(honest.length), length: fc.nat(2_000) }),
  );

  /** With the checksums made right again, so that what was changed is looked at. */
  const mended = (tar: Buffer): Buffer => {
    for (let at = 0; at + 512 <= tar.length; at += 512) {
      const block = tar.subarray(at, at + 512);
      if (!/^[0-7]{6}\0 $/.test(block.toString('latin1', 148, 156))) continue;
      block.fill(' ', 148, 156);
      const sum = block.reduce((total, byte) => total + byte, 0);
      block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    }
    return tar;
  };

  it('is unpacked in its folder or refused by a rule, and never anything else', async () => {
    const before = snapshotOf(around).filter((line) => !line.startsWith('state/'));
    const kinds = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (changes, mend) => {
          let tar = Buffer.from(honest);
          for (const one of changes) {
            if (one.kind === 'set')
              tar.set(one.bytes.subarray(0, Math.max(0, tar.length - one.at)), Math.min(one.at, tar.length));
            else if (one.kind === 'cut')
              tar = Buffer.concat([tar.subarray(0, one.at), tar.subarray(one.at + one.length)]);
            else tar = Buffer.concat([tar.subarray(0, one.at + one.length), tar.subarray(one.at)]);
          }
          const answer = await unpack(compress(mend ? mended(tar) : tar));
          kinds.add(answer.kind);
          expect(['unpacked', 'refused']).toContain(answer.kind);
          expect(readdirSync(folder).sort()).toEqual(
            answer.kind === 'unpacked' ? ['bundle', 'into'] : ['bundle'],
          );
          const made = answer.kind === 'unpacked' ? snapshotOf(join(folder, 'into')) : [];
          expect(made.filter((line) => / -> |neither file nor folder/.test(line))).toEqual([]);
        },
      ),
      { numRuns: runs(400) },
    );
    // Both happen, or this shows nothing.
    expect([...kinds].sort()).toEqual(['refused', 'unpacked']);
    expect(snapshotOf(around).filter((line) => !line.startsWith('state/'))).toEqual(before);
  });

  it('is unpacked or refused when its compressed bytes were changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Compression>('gzip', 'zstd'),
        fc.nat(),
        fc.uint8Array({ minLength: 1, maxLength: 6 }),
        async (compression, position, bytes) => {
          const packed = Buffer.from(compress(honest, compression).bytes);
          const at = position % packed.length;
          packed.set(bytes.subarray(0, packed.length - at), at);
          const sha256 = createHash('sha256').update(packed).digest('hex');
          expect(['unpacked', 'refused']).toContain((await unpack({ bytes: packed, sha256 })).kind);
        },
      ),
      { numRuns: runs(200) },
    );
  });
});
