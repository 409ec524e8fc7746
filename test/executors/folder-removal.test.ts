import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRunFiles } from '../../agent/run-files.ts';
import { removeFolder } from '../../executors/environment-folder.ts';
import { removeTree } from '../../executors/folder-removal.ts';
import { makeRunFolders } from '../../executors/run-folders.ts';

const NOBODY = { name: 'nobody', uid: 65_534, gid: 65_534 };
const FILES = Array.from({ length: 50 }, (_, index) => `f${index}`);
const ROUNDS = 12;

/** Puts a link to `victim` in the place of a folder of its own, again and again. */
const RACER = `
import os, sys
os.chdir(sys.argv[1])
print("at it", flush=True)
i = 0
while True:
    i += 1
    try: os.mkdir("a")
    except OSError: pass
    for n in range(50):
        try: open("a/f%d" % n, "w").close()
        except OSError: pass
    try: os.rename("a", "b%d" % i); os.symlink(sys.argv[2], "a")
    except OSError: pass
    try: os.unlink("a")
    except OSError: pass
`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'removal-'));
  await chmod(folder, 0o711);
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(process.getuid?.() !== 0)('what root removes of the account of flows', () => {
  const victim = () => join(folder, 'victim');

  /** What is left of the victim's files after `remove` was at work beside a process of the account, some times. */
  async function race(prepare: () => Promise<string>, remove: () => Promise<unknown>): Promise<string[]> {
    await mkdir(victim(), { mode: 0o755 });
    for (const name of FILES) await writeFile(join(victim(), name), 'of root');
    for (let round = 0; round < ROUNDS; round += 1) {
      const theirs = await prepare();
      const racer = spawn('python3', ['-c', RACER, theirs, victim()], {
        ...NOBODY,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const gone = once(racer, 'exit');
      await once(racer.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, 50));
      await remove().catch(() => undefined);
      racer.kill('SIGKILL');
      await gone;
      await remove();
    }
    return readdir(victim());
  }

  async function theirs(...inside: string[]): Promise<string> {
    const path = join(folder, ...inside);
    await mkdir(path, { recursive: true });
    await chown(path, NOBODY.uid, NOBODY.gid);
    return path;
  }

  it('is never a file behind a link, of a folder of browsers', async () => {
    const left = await race(
      () => theirs('browsers', 'installed'),
      () => removeFolder(join(folder, 'browsers')),
    );
    expect(left).toHaveLength(FILES.length);
    expect(await readdir(folder)).toEqual(['victim']);
  });

  it('is never a file behind a link, of the folder of a run that is used again', async () => {
    const run = join(folder, 'runs', 'one', '1');
    const make = () => makeRunFolders(run, {}, NOBODY);
    const left = await race(async () => (await make()).work, make);
    expect(left).toHaveLength(FILES.length);
    expect(await readdir(join(run, 'work'))).toEqual([]);
  });

  it('is never a file behind a link, of an old run', async () => {
    const files = createRunFiles(join(folder, 'runs'), () => 0);
    const later = new Date(Date.now() + 86_400_000);
    const left = await race(
      async () => (await makeRunFolders(files.directory('one', 1), {}, NOBODY)).work,
      () => files.prune(later, new Set(), false),
    );
    expect(left).toHaveLength(FILES.length);
    expect(await readdir(join(folder, 'runs'))).toEqual([]);
  });

  it('goes though nobody else can reach it and it is read-only', async () => {
    const path = await theirs('closed', 'theirs');
    await theirs('closed', 'theirs', 'deep');
    await writeFile(join(path, 'deep', 'file'), '');
    await chmod(join(path, 'deep'), 0o500);
    await chown(join(path, 'deep', 'file'), NOBODY.uid, NOBODY.gid);
    await chmod(join(folder, 'closed'), 0o700);
    expect(await removeTree(join(folder, 'closed'))).toBe(true);
    expect(await readdir(folder)).toEqual([]);
  });

  it('stays while it holds what the account cannot remove, and is said to', async () => {
    const path = await theirs('kept');
    await mkdir(join(path, 'of-root'));
    await writeFile(join(path, 'of-root', 'file'), '');
    expect(await removeTree(path)).toBe(false);
    expect(await readdir(join(path, 'of-root'))).toEqual(['file']);
  });
});

describe('a folder that is removed', () => {
  it('goes with what is read-only in it, and nothing behind a link', async () => {
    await mkdir(join(folder, 'other'));
    await writeFile(join(folder, 'other', 'file'), '');
    await mkdir(join(folder, 'tree', 'deep'), { recursive: true });
    await writeFile(join(folder, 'tree', 'deep', 'file'), '');
    await symlink(join(folder, 'other'), join(folder, 'tree', 'link'));
    await chmod(join(folder, 'tree', 'deep'), 0o500);
    expect(await removeTree(join(folder, 'tree'))).toBe(true);
    expect(await removeTree(join(folder, 'tree'))).toBe(true);
    expect(await readdir(join(folder, 'other'))).toEqual(['file']);
  });

  it('is a link itself when a link stands in its place', async () => {
    await mkdir(join(folder, 'other'));
    await symlink(join(folder, 'other'), join(folder, 'link'));
    expect(await removeTree(join(folder, 'link'))).toBe(true);
    expect(await readdir(folder)).toEqual(['other']);
  });

  it('is an old run that no one needs', async () => {
    const files = createRunFiles(folder, () => 0);
    for (const run of ['old', 'needed', 'young']) await mkdir(files.directory(run, 1), { recursive: true });
    const old = new Date('2026-01-01T00:00:00Z');
    for (const run of ['old', 'needed']) await utimes(join(folder, run), old, old);
    const before = new Date('2026-02-01T00:00:00Z');
    expect(await files.prune(before, new Set(['needed']), true)).toBe(1);
    expect(await files.prune(before, new Set(['needed']), false)).toBe(1);
    expect(await readdir(folder)).toEqual(['needed', 'young']);
  });
});
