import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSmallFile } from '../../system/small-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'small-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('readSmallFile', () => {
  it('gives the whole of a file up to the limit, and nothing of one above it', async () => {
    const path = join(folder, 'file');
    await writeFile(path, 'x'.repeat(100_000));
    const found = await readSmallFile(path, 100_000);
    expect(found).toMatchObject({ kind: 'read' });
    expect(Buffer.from((found as { bytes: Uint8Array }).bytes).toString()).toBe('x'.repeat(100_000));
    expect(await readSmallFile(path, 99_999)).toEqual({ kind: 'too_large' });
  });

  it('knows an empty file from one that is not there', async () => {
    const path = join(folder, 'file');
    expect(await readSmallFile(path, 10)).toEqual({ kind: 'absent' });
    await writeFile(path, '');
    expect(await readSmallFile(path, 10)).toMatchObject({ kind: 'read', bytes: Buffer.alloc(0) });
  });

  it.runIf(process.platform === 'linux')(
    'is not led on by a file without end that says it is empty',
    async () => {
      expect(await readSmallFile('/dev/zero', 10)).toEqual({ kind: 'too_large' });
    },
  );

  it.runIf(process.platform !== 'win32')('tells the permissions', async () => {
    const path = join(folder, 'file');
    await writeFile(path, 'x');
    await chmod(path, 0o640);
    expect(await readSmallFile(path, 10)).toMatchObject({ mode: 0o640 });
  });

  it('throws for what is no file', async () => {
    await expect(readSmallFile(folder, 1_000_000)).rejects.toMatchObject({ code: 'EISDIR' });
  });
});
