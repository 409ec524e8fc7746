import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeAbandonedTemporaries, writeFileAtomically } from '../../system/atomic-file.ts';

const posix = process.platform !== 'win32';
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomic-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('writeFileAtomically', () => {
  it('replaces a file with exactly the bytes given and leaves nothing beside it', async () => {
    const path = join(folder, 'pointer.json');
    await writeFile(path, 'old and longer than the new one');
    await writeFileAtomically(path, 'new');
    expect(await readFile(path, 'utf8')).toBe('new');
    expect(await readdir(folder)).toEqual(['pointer.json']);
  });

  it.runIf(posix)('makes the file with the permissions asked for', async () => {
    const path = join(folder, 'device.jwk');
    await writeFileAtomically(path, 'secret', { mode: 0o600 });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('leaves the old file and no temporary one when the rename fails', async () => {
    const path = join(folder, 'taken', 'inside');
    await writeFileAtomically(join(folder, 'plain'), 'x');
    await expect(writeFileAtomically(path, 'y')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(writeFileAtomically(folder, 'y')).rejects.toMatchObject({ syscall: 'rename' });
    expect(await readdir(folder)).toEqual(['plain']);
  });

  it('writes nothing when it was aborted before', async () => {
    const path = join(folder, 'state');
    await writeFile(path, 'old');
    const signal = AbortSignal.abort(new Error('stop'));
    await expect(writeFileAtomically(path, 'new', { signal })).rejects.toThrow('stop');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['state']);
  });

  it('shows a reader the old bytes or the new ones, whole, at every moment', async () => {
    const path = join(folder, 'pointer');
    const versions = [randomBytes(200_000), randomBytes(300_000)] as const;
    await writeFileAtomically(path, versions[0]);
    const done = new AbortController();
    const reader = (async () => {
      let reads = 0;
      while (!done.signal.aborted) {
        const found = await readFile(path);
        expect(versions.some((version) => version.equals(found))).toBe(true);
        reads += 1;
      }
      return reads;
    })();
    for (let turn = 1; turn <= 20; turn += 1) await writeFileAtomically(path, versions[turn % 2] as Buffer);
    done.abort();
    expect(await reader).toBeGreaterThan(0);
  });

  it('lets concurrent writers of one path end with one of their texts, whole', async () => {
    const path = join(folder, 'pointer');
    const texts = Array.from({ length: 8 }, (_, index) => String(index).repeat(10_000 + index));
    await Promise.all(texts.map((text) => writeFileAtomically(path, text)));
    expect(texts).toContain(await readFile(path, 'utf8'));
    expect(await readdir(folder)).toEqual(['pointer']);
  });

  it.runIf(posix)('replaces a symbolic link instead of writing through it', async () => {
    const outside = join(folder, 'outside');
    await writeFile(outside, 'untouched');
    await symlink(outside, join(folder, 'link'));
    await writeFileAtomically(join(folder, 'link'), 'new');
    expect(await readFile(outside, 'utf8')).toBe('untouched');
  });

  it.runIf(process.platform === 'linux')('keeps the old file when the disk is full', async () => {
    // /dev/full cannot be a directory, so the file-size limit of a child process stands in for a full disk.
    const path = join(folder, 'state');
    await writeFile(path, 'old');
    const { spawnSync } = await import('node:child_process');
    const module = new URL('../../system/atomic-file.ts', import.meta.url).href;
    const script = `process.on('SIGXFSZ', () => {});
      const { writeFileAtomically } = await import(${JSON.stringify(module)});
      await writeFileAtomically(${JSON.stringify(path)}, Buffer.alloc(64 * 1024)).then(
        () => process.exit(0), (error) => { process.stdout.write(error.code); process.exit(7); });`;
    const node = JSON.stringify(process.execPath);
    const child = spawnSync('bash', ['-c', `ulimit -f 8; exec ${node} --input-type=module -e "$0"`, script]);
    expect(child.stdout.toString()).toBe('EFBIG');
    expect(child.status).toBe(7);
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['state']);
  });
});

describe('removeAbandonedTemporaries', () => {
  it('removes what a killed writer left an hour ago, and neither fresh ones nor other files', async () => {
    const names = ['.state.0123456789abcdef.tmp', '.fresh.0123456789abcdef.tmp', '.mine.tmp', 'state'];
    for (const name of names) await writeFile(join(folder, name), 'x');
    const old = new Date(Date.now() - 2 * 60 * 60 * 1000);
    for (const name of names.filter((each) => !each.startsWith('.fresh'))) {
      await utimes(join(folder, name), old, old);
    }
    expect(await removeAbandonedTemporaries(folder)).toBe(1);
    expect((await readdir(folder)).toSorted()).toEqual(names.slice(1).toSorted());
  });
});
