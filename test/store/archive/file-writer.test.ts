import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createFileWriter, type FileWriter } from '../../../store/archive/file-writer.ts';

let folder: string;
let files: FileWriter;
let written: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'edge-writer-'));
  files = createFileWriter();
  written = [];
});
afterEach(async () => {
  await files.abandon();
  rmSync(folder, { recursive: true });
});

async function put(name: string, pieces: readonly Uint8Array[], mode = 0o644): Promise<void> {
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  files.begin(join(folder, name), mode, size, () => written.push(name));
  for (const piece of pieces) {
    files.piece(piece);
    await files.room();
  }
  files.end();
  await files.room();
}

it('writes small files and large ones, in one piece and in many, and tells of each when it is whole', async () => {
  const noise = Buffer.alloc(300_000, 'noise');
  const names = Array.from({ length: 200 }, (_, index) => `file-${index}`);
  for (const [index, name] of names.entries()) {
    const length = [0, 1, 16_384, 16_385, 300_000][index % 5] as number;
    const content = noise.subarray(0, length);
    await put(name, index % 2 === 0 ? [content] : [content.subarray(0, 100), content.subarray(100)]);
  }
  await files.settle();
  expect(written.toSorted()).toEqual(names.toSorted());
  for (const [index, name] of names.entries()) {
    const length = [0, 1, 16_384, 16_385, 300_000][index % 5] as number;
    expect(readFileSync(join(folder, name)).equals(noise.subarray(0, length))).toBe(true);
  }
});

it('makes the reader wait while much is not written', async () => {
  files.begin(join(folder, 'large'), 0o644, 20_000_000, () => written.push('large'));
  const waits: boolean[] = [];
  for (let piece = 0; piece < 20; piece += 1) {
    files.piece(Buffer.alloc(1_000_000, piece));
    const room = files.room();
    waits.push(room !== undefined);
    await room;
  }
  files.end();
  await files.settle();
  expect(waits).toContain(true);
  expect(statSync(join(folder, 'large')).size).toBe(20_000_000);
  expect(written).toEqual(['large']);
});

it.each([
  ['small', 10],
  ['large', 100_000],
])('does not write over a %s file that is there', async (_size, length) => {
  writeFileSync(join(folder, 'taken'), 'before');
  const writing = put('taken', [Buffer.alloc(length)]).then(() => files.settle());
  await expect(writing).rejects.toMatchObject({ code: 'EEXIST' });
  expect(readFileSync(join(folder, 'taken'), 'utf8')).toBe('before');
  expect(written).toEqual([]);
});

it.runIf(process.platform === 'linux')(
  'leaves no file open when the archive ends in the middle of one',
  async () => {
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    files.begin(join(folder, 'half'), 0o644, 1_000_000, () => written.push('half'));
    files.piece(Buffer.alloc(500_000));
    await files.abandon();
    expect(written).toEqual([]);
    expect(open()).toBe(before);
  },
);
