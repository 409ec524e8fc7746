import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createAdmin } from '../../console/admin.ts';
import { openTold } from '../../console/data-folder.ts';
import { openState } from '../../console/state.ts';
import { createSystemClock } from '../../system/clock.ts';
import { rootDocument } from './running-console.ts';

let data: string;
const clock = createSystemClock();

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'lost-data-'));
});
afterEach(async () => rm(data, { recursive: true, force: true }));

/** Whether the key was found to be lost, at an opening. */
async function opened(): Promise<boolean> {
  const state = await openState(data, clock);
  await state.close();
  return state.lostKey;
}

async function withTenant(): Promise<void> {
  const state = await openState(data, clock);
  await createAdmin(state).addTenant({ slug: 'acme', rootDocument: await rootDocument() });
  await state.close();
}

it('a key that is missing beside the database of tenants is told of, once', async () => {
  expect(await opened()).toBe(false);
  await rm(join(data, 'console.key'));
  // nothing was lost with it
  expect(await opened()).toBe(false);
  await withTenant();
  expect(await opened()).toBe(false);
  await rm(join(data, 'console.key'));
  expect([await opened(), await opened()]).toEqual([true, false]);
});

it('whoever starts a console without its key is told what is void, and what to do', async () => {
  await withTenant();
  await rm(join(data, 'console.key'));
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    for (let times = 0; times < 2; times += 1) await (await openTold(data, clock)).close();
    expect(stderr.mock.calls.map(([text]) => text)).toEqual([
      expect.stringMatching(/console\.key was missing .*trigger keys have to be given again.*backup/),
    ]);
  } finally {
    stderr.mockRestore();
  }
});

it.each(['absent', 'empty'])(
  'files of tenants beside a database that is %s are no new console',
  async (kind) => {
    await withTenant();
    for (const end of ['', '-wal', '-shm']) await rm(join(data, `console.db${end}`), { force: true });
    if (kind === 'empty') await writeFile(join(data, 'console.db'), '');
    await expect(opened()).rejects.toThrow(
      new RegExp(`^expected the database of the tenants in ${join(data, 'git')} .*restore`),
    );
    const left = await readFile(join(data, 'console.db')).catch(() => null);
    expect(left?.length ?? 'absent').toBe(kind === 'empty' ? 0 : 'absent');
  },
);

it('an empty database beside empty folders is a new console', async () => {
  await mkdir(join(data, 'git'));
  await writeFile(join(data, 'console.db'), '');
  expect(await opened()).toBe(false);
});

it.each([
  ['no database at all', (bytes: Buffer) => bytes.fill('x', 0, 100)],
  ['damaged inside', (bytes: Buffer) => bytes.fill(0xff, 100, 4_096)],
])('a file that is %s is named, with what to do', async (_, damage) => {
  await withTenant();
  const path = join(data, 'console.db');
  const bytes = await readFile(path);
  damage(bytes);
  await writeFile(path, bytes);
  await expect(opened()).rejects.toThrow(new RegExp(`^expected a sound database in ${path}, .*restore`));
});
