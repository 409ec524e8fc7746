import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type BuildPlace,
  type Built,
  type BuiltFolders,
  createBuiltFolders,
} from '../../executors/built-folders.ts';
import { removeFolder } from '../../executors/environment-folder.ts';
import { runInstaller } from '../../executors/installer-process.ts';
import type { Clock } from '../../reconciler/ports.ts';
import { createSystemClock } from '../../system/clock.ts';

const never = new AbortController().signal;
const NAME = 'thing-1';
const REASON = { flow: 'invoice-bot', version: 'v1.0.7', because: 'requirements.lock of v1.0.7' };
const BUILT: Built = { kind: 'built', contents: 'nothing', neededBy: 'a' };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'built-'));
});
afterEach(async () => {
  for (const agent of await readdir(folder))
    for (const name of await readdir(join(folder, agent))) await removeFolder(join(folder, agent, name));
  await rm(folder, { recursive: true, force: true });
});

function foldersOf(agent: string, clock: Clock = createSystemClock()): BuiltFolders {
  return createBuiltFolders(
    { folder: join(folder, agent), clock, environment: process.env, events: null },
    { kind: 'thing', pattern: /^thing-\d$/ },
  );
}

function install(place: BuildPlace, script: string, thorough = false) {
  const env = { PATH: process.env['PATH'] ?? '' };
  const options = { env, cwd: place.temporary, mark: place.mark, timeoutMs: 20_000, signal: never, thorough };
  return runInstaller('/bin/sh', ['-c', script], options);
}

describe.skipIf(process.platform === 'win32')('two agents of one machine that build the same', () => {
  it('end no installer of each other, at the end of a build and at a start', async () => {
    const begun = Promise.withResolvers<void>();
    const mayEnd = Promise.withResolvers<void>();
    const exits: (number | null)[] = [];
    const first = foldersOf('first').obtain(
      NAME,
      async (place) => {
        const done = install(place, 'echo $$ > pid; until [ -e go ]; do sleep 0.05; done');
        await mkdir(place.folder);
        for (let pid = ''; pid === ''; )
          pid = await readFile(join(place.temporary, 'pid'), 'utf8').catch(() => '');
        begun.resolve();
        await mayEnd.promise;
        await writeFile(join(place.temporary, 'go'), '');
        exits.push((await done).exitCode);
        return BUILT;
      },
      REASON,
      never,
    );
    await begun.promise;
    await foldersOf('second').obtain(
      NAME,
      async (place) => {
        await mkdir(place.folder);
        exits.push((await install(place, 'true', true)).exitCode);
        return BUILT;
      },
      REASON,
      never,
    );
    await mkdir(join(folder, 'third', NAME), { recursive: true });
    expect(await foldersOf('third').recover()).toBe(1);
    mayEnd.resolve();
    expect(await first).toMatchObject({ kind: 'ready' });
    expect(exits).toEqual([0, 0]);
  });
});

describe('a folder that something runs in', () => {
  const YESTERDAY = new Date(Date.now() - 25 * 3_600_000);
  const options = { dryRun: false, signal: never };
  const nothing = { names: new Set<string>(), neededBy: new Set<string>() };
  const build = async (folders: BuiltFolders): Promise<string> => {
    const make = async ({ folder: made }: BuildPlace) => {
      await mkdir(made);
      return BUILT;
    };
    const obtained = await folders.obtain(NAME, make, REASON, never);
    return obtained.kind === 'ready' ? obtained.folder : '';
  };
  const unusedSince = (path: string, at: Date) => utimes(join(path, '.complete'), at, at);

  it('is not collected until the last has ended, and a day after that', async () => {
    const folders = foldersOf('one');
    const path = await build(folders);
    const first = folders.hold(path);
    const second = folders.hold(path);
    await unusedSince(path, YESTERDAY);
    expect(await folders.collect(nothing, options)).toEqual([]);
    first();
    first();
    expect(await folders.collect(nothing, options)).toEqual([]);
    second();
    await vi.waitFor(async () =>
      expect((await stat(join(path, '.complete'))).mtimeMs).toBeGreaterThan(YESTERDAY.getTime()),
    );
    expect(await folders.collect(nothing, options)).toEqual([]);
    await unusedSince(path, YESTERDAY);
    expect(await folders.collect(nothing, options)).toMatchObject([{ name: NAME }]);
  });

  it('is in use each hour anew, for other processes that collect', async () => {
    let anHourLater = () => {};
    const clock = {
      ...createSystemClock(),
      sleep: () =>
        new Promise<void>((resolve) => {
          anHourLater = resolve;
        }),
    };
    const folders = foldersOf('one', clock);
    const path = await build(folders);
    const release = folders.hold(path);
    await unusedSince(path, YESTERDAY);
    anHourLater();
    await vi.waitFor(async () =>
      expect((await stat(join(path, '.complete'))).mtimeMs).toBeGreaterThan(YESTERDAY.getTime()),
    );
    expect(await foldersOf('one').collect(nothing, options)).toEqual([]);
    release();
    anHourLater();
  });
});
