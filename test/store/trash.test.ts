import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTrash } from '../../store/trash.ts';

const posix = process.platform !== 'win32';
const root = posix && process.getuid?.() === 0;
const NOBODY = 65_534;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trash-'));
  mkdirSync(join(folder, 'trash'), { mode: 0o777 });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('createTrash', () => {
  it('takes a tree out of its place and removes it', async () => {
    const trash = createTrash(join(folder, 'trash'));
    mkdirSync(join(folder, 'v1', 'lib'), { recursive: true });
    expect(await trash.discard(join(folder, 'v1'))).toBe(true);
    expect(await trash.discard(join(folder, 'v1'))).toBe(false);
    expect(readdirSync(folder)).toEqual(['trash']);
    expect(readdirSync(join(folder, 'trash'))).toEqual([]);
  });

  it('empties what a crash left, and counts it', async () => {
    const trash = createTrash(join(folder, 'trash'));
    mkdirSync(join(folder, 'v1'));
    const moved = await trash.moveIn(join(folder, 'v1'));
    expect(existsSync(moved ?? '')).toBe(true);
    expect(await trash.empty()).toBe(1);
    expect(await trash.empty()).toBe(0);
  });

  it.runIf(posix)('removes a link and leaves what it points at', async () => {
    writeFileSync(join(folder, 'precious'), 'x');
    symlinkSync(join(folder, 'precious'), join(folder, 'v1'));
    await createTrash(join(folder, 'trash')).discard(join(folder, 'v1'));
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('x');
    expect(existsSync(join(folder, 'v1'))).toBe(false);
  });

  it.runIf(root)('removes a read-only tree for an account that is not root', () => {
    chmodSync(folder, 0o777);
    const script = `
      import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
      import { createTrash } from ${JSON.stringify(new URL('../../store/trash.ts', import.meta.url).href)};
      process.setgid(${NOBODY}); process.setuid(${NOBODY}); process.chdir(process.argv[1]);
      mkdirSync('own'); mkdirSync('own/v1/lib/deep', { recursive: true }); mkdirSync('own/trash');
      writeFileSync('own/v1/lib/deep/a.py', '', { mode: 0o444 });
      for (const path of ['own/v1/lib/deep', 'own/v1/lib', 'own/v1']) chmodSync(path, 0o555);
      await createTrash('own/trash').discard('own/v1');
      process.stdout.write(JSON.stringify([readdirSync('own'), readdirSync('own/trash')]));`;
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', script, folder], {
      encoding: 'utf8',
    });
    expect(ran.stderr).toBe('');
    expect(JSON.parse(ran.stdout)).toEqual([['trash'], []]);
  });
});
