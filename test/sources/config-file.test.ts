import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accessFault, groupWritable } from '../../sources/config-access.ts';
import { loadConfigFile } from '../../sources/config-file.ts';
import { watchConfigFile } from '../../sources/config-watch.ts';

const GOOD = 'version: 1\ntenant: acme\nsource:\n  url: https://git.example/acme.git\n';
const digest = (text: string) => createHash('sha256').update(text).digest('hex');

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'));
  path = join(folder, 'agent.yaml');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('loading', () => {
  test('gives the configuration, the digest of its bytes and the keys it writes', async () => {
    await writeFile(path, `${GOOD}runs:\n  concurrency: 3\nmaintenance: {windows: ["* 3 * * *"]}\n`);
    const outcome = await loadConfigFile(path);
    expect(outcome).toMatchObject({ kind: 'valid', config: { tenant: 'acme', runs: { concurrency: 3 } } });
    expect(outcome).toHaveProperty(
      'written',
      new Set([
        'version',
        'tenant',
        'source',
        'source.url',
        'runs',
        'runs.concurrency',
        'maintenance',
        'maintenance.windows',
      ]),
    );
    await writeFile(path, GOOD);
    expect(await loadConfigFile(path)).toHaveProperty('digest', digest(GOOD));
  });

  test('names file, line and column of every problem', async () => {
    await writeFile(path, `${GOOD}  intervall: 1m\nrun: {}\n`);
    const outcome = await loadConfigFile(path);
    expect(outcome).toMatchObject({
      kind: 'invalid',
      problems: [
        { line: 5, column: 3 },
        { line: 6, column: 1 },
      ],
    });
    expect(outcome.kind === 'invalid' && outcome.text.split('\n')).toEqual([
      expect.stringMatching(/agent\.yaml:5:3: unknown key "intervall" .* did you mean "interval"\?$/),
      expect.stringMatching(/agent\.yaml:6:1: unknown key "run" .* did you mean "runs"\?$/),
    ]);
  });

  test('tells a missing file from one that cannot be read', async () => {
    expect(await loadConfigFile(path)).toMatchObject({ kind: 'missing' });
    await mkdir(path);
    expect(await loadConfigFile(path)).toMatchObject({ kind: 'invalid' });
  });

  describe.skipIf(process.platform === 'win32')('from where others can write', () => {
    const refused = (text: RegExp) => ({ kind: 'invalid', text: expect.stringMatching(text) });
    beforeEach(() => writeFile(path, GOOD));

    test('refuses a file that every account may write, with mode, owner and command', async () => {
      await chmod(path, 0o666);
      expect(await loadConfigFile(path)).toMatchObject(
        refused(
          /agent\.yaml:1:1: found a file that every account may write: .* \(mode 0666, owner .*chmod o-w \//,
        ),
      );
      await chmod(path, 0o644);
      expect(await loadConfigFile(path)).toMatchObject({ kind: 'valid' });
    });

    test('refuses it in a folder that every account may write, but for a sticky one', async () => {
      await chmod(folder, 0o777);
      expect(await loadConfigFile(path)).toMatchObject(
        refused(/found a folder that every account may write: .* \(mode 0777, owner .*chmod o-w \//),
      );
      await chmod(folder, 0o1777);
      expect(await loadConfigFile(path)).toMatchObject({ kind: 'valid' });
    });

    test('looks at the file and the folder behind a link', async () => {
      await mkdir(join(folder, 'real'));
      await writeFile(join(folder, 'real', 'a.yaml'), GOOD);
      await rm(path);
      await symlink(join('real', 'a.yaml'), path);
      await chmod(join(folder, 'real'), 0o777);
      expect(await loadConfigFile(path)).toMatchObject(refused(/found a folder .*\/real \(mode 0777/));
    });

    test('takes what a group may write, and leaves that to doctor', async () => {
      await chmod(path, 0o664);
      const outcome = await loadConfigFile(path);
      expect(outcome).toMatchObject({ kind: 'valid' });
      expect(outcome.kind === 'valid' && groupWritable(outcome.places)).toMatchObject({
        found: expect.stringContaining('mode 0664'),
        expected: `chmod g-w ${path}`,
      });
    });

    test('lets root take orders from root alone, and others from themselves', () => {
      const place = { path: '/etc/a b', kind: 'file', mode: 0o100644, uid: 1_000 } as const;
      expect(accessFault([place], 1_000)).toBeNull();
      expect(accessFault([{ ...place, uid: 0 }], 1_000)).toBeNull();
      expect(accessFault([{ ...place, uid: 0 }], 0)).toBeNull();
      expect(accessFault([place], 0)).toEqual({
        found: 'a file that an ordinary account may write: /etc/a b (mode 0644, owner uid 1000)',
        expected: "one of root, as root runs the agent: chown root '/etc/a b'",
      });
    });

    test.runIf(process.geteuid?.() === 0)(
      'refuses root the file or folder of an ordinary account',
      async () => {
        await chown(path, 65_432, 65_432);
        expect(await loadConfigFile(path)).toMatchObject(refused(/owner uid 65432.*chown root/));
        await chown(path, 0, 0);
        await chown(folder, 65_432, 65_432);
        expect(await loadConfigFile(path)).toMatchObject(refused(/found a folder .*owner uid 65432/));
      },
    );

    test('leaves a file that is for another machine to that machine', async () => {
      await chmod(path, 0o666);
      expect(await loadConfigFile(path, { access: 'unchecked' })).toMatchObject({ kind: 'valid' });
    });
  });

  test('reads no more than 256 KiB', async () => {
    await writeFile(path, `${GOOD}# ${'x'.repeat(300_000)}`);
    expect(await loadConfigFile(path)).toMatchObject({
      kind: 'invalid',
      text: expect.stringContaining('at most 262144'),
    });
  });
});

describe('watching', () => {
  let seen: string[];
  let controller: AbortController;

  beforeEach(() => {
    seen = [];
    controller = new AbortController();
  });
  afterEach(() => controller.abort());

  async function watching(known: string | null, lookEveryMs?: number, debounceMs = 30) {
    await watchConfigFile(path, {
      known,
      signal: controller.signal,
      debounceMs,
      lookEveryMs,
      onChange: (loaded) => void seen.push(loaded.config.tenant),
      onInvalid: (outcome) => void seen.push(outcome.kind),
    });
  }
  const tenant = (name: string) => GOOD.replace('acme', name);
  const quiet = () => new Promise((resolve) => setTimeout(resolve, 250));
  const soon = { timeout: 3_000 };

  test('tells a good edit, a bad one, and the way back', async () => {
    await writeFile(path, GOOD);
    await watching(digest(GOOD));
    await writeFile(path, tenant('globex'));
    await expect.poll(() => seen, soon).toEqual(['globex']);
    await writeFile(path, 'tenant: [');
    await expect.poll(() => seen, soon).toEqual(['globex', 'invalid']);
    await writeFile(path, tenant('globex'));
    await expect.poll(() => seen, soon).toEqual(['globex', 'invalid', 'globex']);
  });

  test.skipIf(process.platform === 'win32')(
    'tells that others may write it now, and when they no longer may',
    async () => {
      await writeFile(path, GOOD);
      await watching(digest(GOOD), 50);
      await chmod(path, 0o666);
      await expect.poll(() => seen, soon).toEqual(['invalid']);
      await writeFile(path, tenant('globex'));
      await chmod(path, 0o644);
      await expect.poll(() => seen, soon).toEqual(['invalid', 'globex']);
      await chmod(folder, 0o777);
      await expect.poll(() => seen, soon).toEqual(['invalid', 'globex', 'invalid']);
    },
  );

  test('tells nothing when the bytes are the same', async () => {
    await writeFile(path, GOOD);
    await watching(digest(GOOD));
    await writeFile(path, GOOD);
    await quiet();
    expect(seen).toEqual([]);
  });

  test('sees an editor replace the file by renaming, again and again', async () => {
    await writeFile(path, GOOD);
    await watching(digest(GOOD));
    for (const name of ['globex', 'initech', 'umbrella']) {
      await writeFile(join(folder, '.agent.yaml.swp'), tenant(name));
      await rename(join(folder, '.agent.yaml.swp'), path);
      await expect.poll(() => seen.at(-1), soon).toBe(name);
    }
    expect(seen).toEqual(['globex', 'initech', 'umbrella']);
  });

  test('does not take the moment between two renames for a deletion', async () => {
    await writeFile(path, GOOD);
    await watching(digest(GOOD), undefined, 300);
    await rename(path, `${path}~`);
    await new Promise((resolve) => setTimeout(resolve, 530));
    await writeFile(path, tenant('globex'));
    await expect.poll(() => seen, soon).toEqual(['globex']);
  });

  test('tells a deletion, and the file when it is back with the same bytes', async () => {
    await writeFile(path, GOOD);
    await watching(digest(GOOD));
    await rm(path);
    await expect.poll(() => seen, soon).toEqual(['missing']);
    await writeFile(path, GOOD);
    await expect.poll(() => seen, soon).toEqual(['missing', 'acme']);
  });

  test('sees an edit behind a link, and the link led elsewhere', async () => {
    await mkdir(join(folder, 'real'));
    await writeFile(join(folder, 'real', 'a.yaml'), GOOD);
    await writeFile(join(folder, 'real', 'b.yaml'), tenant('initech'));
    await symlink(join(folder, 'real', 'a.yaml'), path);
    await watching(digest(GOOD));
    await writeFile(join(folder, 'real', 'a.yaml'), tenant('globex'));
    await expect.poll(() => seen, soon).toEqual(['globex']);
    await symlink(join(folder, 'real', 'b.yaml'), `${path}.new`);
    await rename(`${path}.new`, path);
    await expect.poll(() => seen, soon).toEqual(['globex', 'initech']);
  });

  test('sees a folder behind the file swapped, which sends no event, at the next regular look', async () => {
    for (const name of ['acme', 'globex']) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'agent.yaml'), tenant(name));
    }
    await symlink('acme', join(folder, 'data'));
    await symlink('data/agent.yaml', path);
    await watching(digest(GOOD), 50);
    await symlink('globex', join(folder, 'data.new'));
    await rename(join(folder, 'data.new'), join(folder, 'data'));
    await expect.poll(() => seen, soon).toEqual(['globex']);
  });

  test('tells what changed between loading and watching', async () => {
    await writeFile(path, tenant('globex'));
    await watching(digest(GOOD));
    expect(seen).toEqual(['globex']);
  });

  test('ends with the signal', async () => {
    await writeFile(path, GOOD);
    await watching(digest(GOOD));
    controller.abort();
    await writeFile(path, tenant('globex'));
    await quiet();
    expect(seen).toEqual([]);
  });
});
