import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { backUp } from '../../console/backup/backup.ts';
import { backUpInto, isTime, startBackups } from '../../console/backup/backup-schedule.ts';
import { restore } from '../../console/backup/restore.ts';
import { createTar, readTar } from '../../console/backup/tar-file.ts';
import { TenantFault } from '../../console/tenants.ts';
import { type CronFields, parseCron } from '../../schemas/cron.ts';
import {
  addTenant,
  call,
  enrolAgent,
  eventChain,
  git,
  publish,
  type RunningConsole,
  runReport,
  startConsole,
  statusOf,
  withBasic,
} from './running-console.ts';

const NEVER = new AbortController().signal;
const hash = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'console-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

/** What an agent's outbox does with its own log: goes on where the console says, until everything is there. */
async function sendEvents(
  running: RunningConsole,
  agent: Awaited<ReturnType<typeof enrolAgent>>,
  events: ReturnType<typeof eventChain>,
): Promise<number[]> {
  const answers: number[] = [];
  let [next, turns] = [events.length, 0];
  while (next <= events.length && turns++ < 5) {
    const body = { log_id: events[0]?.log_id, events: events.slice(next - 1) };
    const answer = await call(agent, 'POST', `${running.url}/edge/events`, body);
    answers.push(answer.status);
    next = ((await answer.json()) as { next_seq: number }).next_seq;
  }
  return answers;
}

describe('a backup of a running console', () => {
  it('becomes a console with which agents, git and keys go on, and that asks for what came in since', async () => {
    await using running = await startConsole();
    const data = join(running.directory, 'data');
    const acme = await addTenant(running, 'acme');
    await addTenant(running, 'empty');
    const { commit } = await publish(running, acme, { 'manifest.json': '{"a":1}' });
    const name = `${'long-name-'.repeat(12)}.tar.gz`;
    await fetch(`${running.url}/artifacts/acme/${name}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${acme.publisherToken}` },
      body: 'a bundle',
    });
    const agent = await enrolAgent(running, 'acme');
    const post = async (path: string, body: unknown, headers = {}) =>
      call(agent, 'POST', running.url + path, body, headers);
    const report = runReport();
    await post('/edge/notify', report, { 'idempotency-key': `${report.run_id}.1` });
    const events = eventChain(agent, randomUUID(), 6, hash);
    expect(await sendEvents(running, agent, events.slice(0, 2))).toEqual([200, 200]);

    // while it goes on writing
    let isDone = false;
    const writing = (async () => {
      while (!isDone) await post('/edge/status', statusOf(agent));
    })();
    const file = join(folder, 'backups/console.tar');
    const made = await backUp(data, file, new Date(), NEVER).finally(() => (isDone = true));
    await writing;
    expect(made.counts).toMatchObject({ tenants: 2, agents: 1, runs: 1, events: 2 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, 'backups'))).toEqual(['console.tar']);
    await expect(backUp(data, file, new Date(), NEVER)).rejects.toThrow('expected a name that is free');

    // what the backup does not have
    expect(await sendEvents(running, agent, events.slice(0, 4))).toContain(200);
    await running.console.close();

    const restored = join(folder, 'restored');
    expect(await restore(file, restored, NEVER)).toMatchObject({ schema_version: made.schema_version });
    await using again = await startConsole({
      dataDirectory: restored,
      port: Number(new URL(running.url).port),
    });
    expect(again.url).toBe(running.url);
    // keys, git of publisher and agent, artifacts
    const asked = await fetch(`${again.url}/api/runs/${report.run_id}`, {
      headers: { 'x-api-key': running.apiKey },
    });
    expect([asked.status, await asked.json()]).toMatchObject([200, { run_id: report.run_id }]);
    const clone = join(folder, 'clone');
    const { url, token } = agent.answer.git as { url: string; token: string };
    await git(folder, 'clone', '-q', '-b', 'tenant/acme', withBasic(url, token), clone);
    expect((await git(clone, 'rev-parse', 'HEAD')).trim()).toBe(commit);
    await writeFile(join(clone, 'manifest.json'), '{"a":2}');
    await git(clone, 'commit', '-q', '-am', 'Next');
    await git(clone, 'push', '-q', withBasic(url, acme.publisherToken), 'HEAD');
    expect(await (await fetch(`${again.url}/artifacts/acme/${name}`)).text()).toBe('a bundle');
    // the agent's log is ahead: the console wants what it has lost, and the chain closes
    expect((await call(agent, 'POST', `${again.url}/edge/status`, statusOf(agent))).status).toBe(200);
    expect((await sendEvents(again, agent, events)).at(-1)).toBe(200);
    const { logs } = { logs: await again.console.admin.events({ agent: agent.issuer, limit: 100 }) };
    expect(logs.map(({ event }) => event.seq)).toEqual([1, 2, 3, 4, 5, 6]);
    // a report that is sent again is one that it has
    const replay = await call(agent, 'POST', `${again.url}/edge/notify`, report, {
      'idempotency-key': `${report.run_id}.1`,
    });
    expect(await replay.json()).toMatchObject({ stored: false });
  }, 60_000);

  it('has every file that is kept beside the database, and the key to what is sealed in it', async () => {
    await using running = await startConsole();
    const data = join(running.directory, 'data');
    await addTenant(running, 'acme');
    for (const each of ['artifacts/acme', 'uploads/one', 'logs/agent/run']) {
      await mkdir(join(data, each), { recursive: true });
      await writeFile(join(data, each, 'a-file'), each);
    }
    const file = join(folder, 'console.tar');
    await backUp(data, file, new Date(), NEVER);
    const restored = join(folder, 'restored');
    await restore(file, restored, NEVER);
    const kept = async (root: string) => {
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      const paths = entries
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1));
      // these two are other bytes of the same content
      const alike = paths.filter((path) => !/^(?:git\/|console\.db)/.test(path)).toSorted();
      return Promise.all(alike.map(async (path) => [path, hash(await readFile(join(root, path)))]));
    };
    const files = await kept(data);
    expect(files.map(([path]) => path)).toEqual([
      'artifacts/acme/a-file',
      'console.key',
      'logs/agent/run/a-file',
      'uploads/one/a-file',
    ]);
    expect(await kept(restored)).toEqual(files);
  });
});

describe('backups by the clock', () => {
  const isAt = (schedule: string, time: string) => isTime(parseCron(schedule) as CronFields, new Date(time));

  it('are made in the minutes of the schedule, by the clock on the wall', () => {
    expect(isAt('0 3 * * *', '2026-11-21T03:00:59')).toBe(true);
    expect(isAt('0 3 * * *', '2026-11-21T03:01:00')).toBe(false);
    // a Saturday
    expect(isAt('*/15 * * * 6', '2026-11-21T11:45:00')).toBe(true);
    expect(isAt('*/15 * * * 1-5', '2026-11-21T11:45:00')).toBe(false);
    expect(isAt('0 3 1 * 6', '2026-11-21T03:00:00')).toBe(true);
    expect(isAt('0 3 1 * 1', '2026-11-21T03:00:00')).toBe(false);
  });

  it('are made in their minute, and once, by a timer that is early', async () => {
    await using running = await startConsole();
    const dir = join(folder, 'backups');
    const began = performance.now();
    // 20 ms before the minute, of a clock that loses 40 ms to the timer
    const now = () => {
      const passed = Math.max(0, performance.now() - began - 40);
      return new Date(Date.parse('2026-11-21T02:59:59.980Z') + passed);
    };
    const settings = { schedule: '* * * * *', dir, keep: 5 };
    const log = pino({ level: 'silent' });
    const backups = startBackups({ settings, data: join(running.directory, 'data'), log, now });
    const names = async () => (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.tar'));
    await expect.poll(names).toEqual(['console-20261121T030000Z.tar']);
    await backups.close();
  });

  it('keep the newest, and leave alone what is not theirs', async () => {
    await using running = await startConsole();
    const dir = join(folder, 'backups');
    await mkdir(dir);
    await writeFile(join(dir, 'before-the-move.tar'), 'mine');
    for (const hour of ['01', '02', '03']) {
      const at = new Date(`2026-11-21T${hour}:00:00Z`);
      await backUpInto({ dir, keep: 2 }, join(running.directory, 'data'), at, NEVER);
    }
    const kept = ['before-the-move.tar', 'console-20261121T020000Z.tar', 'console-20261121T030000Z.tar'];
    expect((await readdir(dir)).toSorted()).toEqual(kept);
  });
});

describe('restoring', () => {
  let sound: Buffer;
  let file: string;
  beforeAll(async () => {
    await using running = await startConsole();
    await addTenant(running, 'acme');
    const made = join(running.directory, 'console.tar');
    await backUp(join(running.directory, 'data'), made, new Date(), NEVER);
    sound = await readFile(made);
  });
  beforeEach(async () => {
    file = join(folder, 'console.tar');
    await writeFile(file, sound);
  });

  it('is refused into a folder with anything in it, and leaves it as it is', async () => {
    const used = join(folder, 'used');
    await mkdir(used);
    await writeFile(join(used, 'notes.txt'), 'mine');
    await expect(restore(file, used, NEVER)).rejects.toThrow(
      /expected an empty folder .* such as notes\.txt/,
    );
    expect(await readdir(used)).toEqual(['notes.txt']);
  });

  it.each([
    ['one byte is another', (bytes: Buffer) => void bytes.write('X', Math.floor(bytes.length / 2))],
    ['its header is another', (bytes: Buffer) => void bytes.write('X', 3)],
  ])('makes nothing of a backup in which %s', async (_what, change) => {
    const bytes = await readFile(file);
    change(bytes);
    await writeFile(file, bytes);
    await expect(restore(file, join(folder, 'new'), NEVER)).rejects.toBeInstanceOf(TenantFault);
    expect(await readdir(join(folder, 'new'))).toEqual([]);
  });

  it.each([0.3, 0.9, 0.98])('makes nothing of a backup of which %d is left', async (part) => {
    const bytes = await readFile(file);
    await writeFile(file, bytes.subarray(0, Math.floor(bytes.length * part)));
    await expect(restore(file, join(folder, 'new'), NEVER)).rejects.toBeInstanceOf(TenantFault);
    expect(await readdir(join(folder, 'new'))).toEqual([]);
  });

  it.each([-1_536, -2_048, -1])('comes to an end where a size is %d', async (size) => {
    const record = `size=${size}\n`;
    const pax = Buffer.alloc(512);
    pax.write(`${record.length + 3} ${record}`);
    const header = (name: string, type: string, bytes: number) => {
      const block = Buffer.alloc(512);
      block.write(name, 0);
      block.write('0000600\0', 100);
      block.write(`${bytes.toString(8).padStart(11, '0')}\0`, 124);
      block.write('        ', 148);
      block.write(type, 156);
      block.write('ustar\x0000', 257);
      const sum = block.reduce((all, byte) => all + byte, 0);
      block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
      return block;
    };
    const first = header('pax', 'x', record.length + 3);
    await writeFile(file, Buffer.concat([first, pax, header('backup.json', '0', 0), Buffer.alloc(1_024)]));
    await expect(restore(file, join(folder, 'new'), AbortSignal.timeout(10_000))).rejects.toThrow(
      /expected .* to be whole/,
    );
  });

  it.each(['../evil', 'git/../../evil', '/etc/evil', 'uploads//evil', 'else/evil'])(
    'takes no file out of its folder: %s',
    async (path) => {
      await writeFile(join(folder, 'content'), 'evil');
      const tar = await createTar(join(folder, 'evil.tar'), new Date(), NEVER);
      await tar.add(path, join(folder, 'content'));
      await tar.finish();
      await tar.close();
      const inner = join(folder, 'deep/er');
      await expect(restore(join(folder, 'evil.tar'), inner, NEVER)).rejects.toThrow(
        'expected the files of a console',
      );
      expect(await readdir(inner)).toEqual([]);
      expect(await readdir(join(folder, 'deep'))).toEqual(['er']);
    },
  );
});

it('an archive is what tar reads, names of any length and letters included', async () => {
  const names = ['a', `${'x'.repeat(99)}/b`, `uploads/${'é'.repeat(60)}`, `logs/${'y'.repeat(250)}`];
  const tar = await createTar(join(folder, 'a.tar'), new Date(0), NEVER);
  for (const [index, name] of names.entries()) {
    await writeFile(join(folder, `${index}`), `${index}`.repeat(index * 300));
    await tar.add(name, join(folder, `${index}`));
  }
  expect(await tar.add('gone', join(folder, 'gone'))).toBeNull();
  await tar.finish();
  await tar.close();
  const { promisify } = await import('node:util');
  const { execFile } = await import('node:child_process');
  const { stdout } = await promisify(execFile)(
    'tar',
    ['-tf', join(folder, 'a.tar'), '--quoting-style=literal'],
    {
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    },
  );
  expect(stdout.trim().split('\n')).toEqual(names);
  const read: [string, number][] = [];
  for await (const { path, size } of readTar(join(folder, 'a.tar'), NEVER)) read.push([path, size]);
  expect(read).toEqual(names.map((name, index) => [name, index * 300]));
});
