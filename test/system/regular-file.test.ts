import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openRegularFile, readRange, ShortFileError } from '../../system/regular-file.ts';

let folder: string;
let inside: string;
beforeEach(() => {
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'regular-file-')));
  inside = path.join(folder, 'inside');
  fs.mkdirSync(inside);
  fs.writeFileSync(path.join(inside, 'file'), 'inside');
  fs.writeFileSync(path.join(folder, 'file'), 'a secret of others');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const look = async (file: string, never: string[] = [], roots = [inside]) => {
  const found = await openRegularFile(file, { roots, never });
  if (found.kind !== 'open') return found.kind;
  try {
    return await found.handle.readFile('utf8');
  } finally {
    await found.handle.close();
  }
};

describe('openRegularFile', () => {
  test('opens what lies below a root, by whatever path', async () => {
    fs.symlinkSync(inside, path.join(folder, 'link'));
    expect(await look(path.join(inside, 'file'))).toBe('inside');
    expect(await look(path.join(folder, 'link', 'file'))).toBe('inside');
    expect(await look(path.join(inside, '..', 'inside', 'file'))).toBe('inside');
    expect(await look(path.join(inside, 'file'), [], [path.join(folder, 'link')])).toBe('inside');
    expect(await look(path.join(inside, 'file'), [], [path.join(folder, 'none'), '/'])).toBe('inside');
  });

  test('opens nothing that only looks as if it did', async () => {
    fs.symlinkSync(path.join(folder, 'file'), path.join(inside, 'link'));
    fs.symlinkSync('..', path.join(inside, 'up'));
    fs.mkdirSync(`${inside}-too`);
    fs.writeFileSync(`${inside}-too/file`, 'outside');
    for (const file of ['link', 'up/file', '../file', '../inside-too/file', '']) {
      expect(await look(path.join(inside, file))).toBe('outside');
    }
    expect(await look(path.join(inside, 'file'), [], [])).toBe('outside');
    expect(await look('inside/file')).toBe('outside');
  });

  test('tells whether a file is there only of places it may look into', async () => {
    expect(await look(path.join(inside, 'none'))).toBe('missing');
    expect(await look(path.join(folder, 'none'))).toBe('outside');
    expect(await look('/none/of/this')).toBe('outside');
  });

  test('opens nothing below a folder that is never to be looked into, and not that file itself', async () => {
    const secret = path.join(inside, 'secret');
    fs.mkdirSync(path.join(secret, 'deep'), { recursive: true });
    fs.writeFileSync(path.join(secret, 'deep', 'key'), 'secret');
    fs.symlinkSync(secret, path.join(folder, 'alias'));
    expect(await look(path.join(secret, 'deep', 'key'), [path.join(folder, 'alias')])).toBe('outside');
    expect(await look(path.join(inside, 'file'), [path.join(inside, 'file')])).toBe('outside');
    expect(await look(path.join(inside, 'file'), [secret])).toBe('inside');
  });

  test.skipIf(process.platform === 'win32')(
    'opens no folders, pipes and devices, and does not wait for them',
    async () => {
      execFileSync('mkfifo', [path.join(inside, 'pipe')]);
      fs.mkdirSync(path.join(inside, 'folder'));
      for (const name of ['pipe', 'folder']) expect(await look(path.join(inside, name))).toBe('not_a_file');
      expect(await look('/dev/null', [], ['/dev'])).toBe('not_a_file');
    },
  );

  test('is not fooled by somebody who swaps the folder meanwhile', async () => {
    const swapped = path.join(inside, 'swapped');
    const real = path.join(inside, 'real');
    fs.mkdirSync(real);
    fs.writeFileSync(path.join(real, 'file'), 'inside');
    const script = `
      const fs = require('node:fs');
      const [link, one, other] = process.argv.slice(1);
      for (let n = 0; ; n += 1) {
        fs.symlinkSync(n % 2 === 0 ? one : other, link + '.new');
        fs.renameSync(link + '.new', link);
        if (n === 0) console.log('swapping');
      }`;
    const swapper = spawn(process.execPath, ['-e', script, swapped, real, folder], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const gone = new Promise((resolve) => swapper.once('exit', resolve));
    try {
      await new Promise((resolve) => swapper.stdout.once('data', resolve));
      const seen = new Set<string>();
      for (let n = 0; n < 1_000; n += 1) seen.add(await look(path.join(swapped, 'file')));
      expect([...seen].filter((text) => !['inside', 'outside', 'missing'].includes(text))).toEqual([]);
      expect(seen).toContain('outside');
    } finally {
      swapper.kill('SIGKILL');
      await gone;
    }
  });

  test('counts the names of a file', async () => {
    fs.linkSync(path.join(folder, 'file'), path.join(inside, 'hard'));
    const found = await openRegularFile(path.join(inside, 'hard'), { roots: [inside], never: [] });
    expect(found).toMatchObject({ kind: 'open', names: 2 });
    if (found.kind === 'open') await found.handle.close();
  });
});

describe('readRange', () => {
  test('gives the bytes asked for, and says when there are fewer', async () => {
    const file = path.join(inside, 'large');
    const bytes = Buffer.alloc(200_000, 'abc');
    fs.writeFileSync(file, bytes);
    const handle = await fs.promises.open(file);
    const read = async (from: number, to: number) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of readRange(handle, from, to)) chunks.push(chunk);
      return Buffer.concat(chunks);
    };
    expect((await read(10, 150_000)).equals(bytes.subarray(10, 150_000))).toBe(true);
    expect(await read(5, 5)).toHaveLength(0);
    await expect(read(199_999, 200_001)).rejects.toBeInstanceOf(ShortFileError);
    await handle.close();
  });
});
