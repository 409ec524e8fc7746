import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fastifyCookie } from '@fastify/cookie';
import Fastify from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commonAnswers } from '../../console/http-answers.ts';
import { DEFAULT_LIMITS } from '../../console/limits.ts';
import { createApiKeys } from '../../console/people/api-keys.ts';
import { createSessions } from '../../console/people/sessions.ts';
import { frontRoutes } from '../../console/routes/front.ts';
import { createApiKeyStore } from '../../console/store/sqlite/api-keys.ts';
import { type ConsoleDatabase, openDatabase } from '../../console/store/sqlite/database.ts';
import { createHealth } from '../../console/store/sqlite/health.ts';
import { createPeopleStore } from '../../console/store/sqlite/people.ts';
import { createSessionStore } from '../../console/store/sqlite/sessions.ts';
import { startConsole } from './running-console.ts';

const HOUR_MS = 60 * 60_000;
let folder: string;
let database: ConsoleDatabase;
let at = new Date('2026-11-20T15:00:00Z');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unwritable-'));
  database = openDatabase(join(folder, 'console.db'));
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

const now = () => at;
const later = (ms: number) => {
  at = new Date(at.getTime() + ms);
};
/** SQLite takes no write of this connection then, as on a disk that is mounted read-only. */
const setWritable = (isWritable: boolean) => database.sql.exec(`PRAGMA query_only = ${isWritable ? 0 : 1}`);
const told = {
  action: 'signed_in',
  tenant: null,
  agent_id: null,
  by: 'x',
  actor_id: null,
  message: '',
} as const;

async function answering(routes: Parameters<typeof frontRoutes>[0] | null, work?: () => Promise<unknown>) {
  const app = Fastify();
  commonAnswers(app, { now, https: () => false });
  if (routes !== null) await app.register(frontRoutes(routes));
  if (work !== undefined) app.post('/work', work);
  return app;
}

it('a session is good, though the note of its use cannot be written', async () => {
  const person = { person_id: 'ann', login: 'ann', name: 'Ann', locale: null, grants: [] };
  const created = { created_by: 'x', created_at: at.toISOString() };
  await createPeopleStore(database).addFirst({ ...person, ...created }, 'hash', told);
  const sessions = createSessions({
    store: createSessionStore(database),
    now,
    https: () => false,
    limits: DEFAULT_LIMITS,
  });
  const opened = await sessions.open('ann', 'hash', null);
  // its parser is there once it is registered
  await Fastify().register(fastifyCookie).ready();
  const call = { headers: { cookie: sessions.cookie(opened?.token ?? '').split(';')[0] } };
  later(HOUR_MS);
  setWritable(false);
  expect((await sessions.of(call))?.record.person.login).toBe('ann');
  setWritable(true);
  await sessions.of(call);
  expect((await sessions.of(call))?.record.used_at).toBe(at.toISOString());
});

it('a key is good, though the note of its use cannot be written', async () => {
  const keys = createApiKeys(createApiKeyStore(database), { now, newId: () => 'id' });
  const by = { kind: 'program', id: null, name: 'x', by: 'x', grants: [], credential: null } as never;
  const { key } = await keys.make({ label: 'k', grants: [], expires_at: null }, by);
  setWritable(false);
  await keys.used(key);
  expect((await keys.get('id'))?.last_used_at).toBeNull();
  setWritable(true);
  await keys.used(key);
  expect((await keys.get('id'))?.last_used_at).toBe(at.toISOString());
});

it('a write is answered 503 full while there is no room, and done once there is', async () => {
  database.sql.exec('CREATE TABLE notes (text TEXT); PRAGMA max_page_count = 1');
  const text = 'x'.repeat(50_000);
  const app = await answering(null, async () =>
    database.write(() => ({ rows: database.prepare('INSERT INTO notes VALUES (?)').run(text).changes })),
  );
  const refused = await app.inject({ method: 'POST', url: '/work' });
  expect([refused.statusCode, refused.json().error.code]).toEqual([503, 'full']);
  expect(refused.headers['retry-after']).toBe('60');
  expect(refused.json().error.message).toMatch(/^expected room on the disk .*make room/);
  database.sql.exec('PRAGMA max_page_count = 100000');
  expect((await app.inject({ method: 'POST', url: '/work' })).json()).toEqual({ rows: 1 });
  await app.close();
});

it('a write is answered 503 read_only when the database takes none', async () => {
  const app = await answering(null, async () => database.write(() => 1));
  setWritable(false);
  const refused = await app.inject({ method: 'POST', url: '/work' });
  expect([refused.statusCode, refused.json().error.code]).toEqual([503, 'read_only']);
  await app.close();
});

it('a write is answered 503 read_only when the disk fails in the middle of it', async () => {
  // SQLITE_IOERR_READ, as the database throws it
  const fault = Object.assign(new Error('disk I/O error'), { errcode: 266 });
  const app = await answering(null, async () =>
    database.write(() => {
      throw fault;
    }),
  );
  const refused = await app.inject({ method: 'POST', url: '/work' });
  expect([refused.statusCode, refused.json().error.code]).toEqual([503, 'read_only']);
  await app.close();
});

it('a file that finds no room is answered 503 full', async () => {
  const fault = Object.assign(new Error('ENOSPC: no space left on device, write /data'), { code: 'ENOSPC' });
  const app = await answering(null, async () => Promise.reject(fault));
  const refused = await app.inject({ method: 'POST', url: '/work' });
  expect([refused.statusCode, refused.json().error.code]).toEqual([503, 'full']);
  expect(refused.body).not.toContain('/data');
  await app.close();
});

it('monitors are told 503 read_only when nothing can be written, by a test every few seconds', async () => {
  let ms = 0;
  const healthy = createHealth(database, () => ms);
  const state = { store: { healthy }, clock: { now, monotonicMs: () => ms } };
  const app = await answering({ operations: new Map(), state });
  const time = at.toISOString();
  const well = await app.inject('/healthz');
  expect([well.statusCode, well.json()]).toEqual([200, { status: 'ok', time }]);
  setWritable(false);
  // no monitor makes the console write with each of its calls
  expect((await app.inject('/healthz')).statusCode).toBe(200);
  ms += 5_000;
  const ill = await app.inject('/healthz');
  expect(ill.statusCode).toBe(503);
  expect(ill.json()).toEqual({
    status: 'read_only',
    time,
    why: expect.stringMatching(/^expected/) as string,
  });
  setWritable(true);
  expect((await app.inject('/healthz')).statusCode).toBe(503);
  ms += 5_000;
  expect((await app.inject('/healthz')).statusCode).toBe(200);
  await app.close();
});

it('a console that is asked whether it is well tries to write', async () => {
  await using running = await startConsole();
  expect((await fetch(`${running.url}/healthz`)).status).toBe(200);
  const own = openDatabase(join(running.directory, 'data', 'console.db'));
  const tests = own.sql.prepare(`SELECT value FROM settings WHERE name = 'write_tests'`).get();
  own.close();
  expect(tests).toEqual({ value: '1' });
});
