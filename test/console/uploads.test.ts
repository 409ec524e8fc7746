import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatUploadMetadata } from '../../schemas/upload-metadata.ts';
import { createManualClock } from '../../system/clock.ts';
import { signRequestToken } from '../../trust/request-token.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  runReport,
  startConsole,
} from './running-console.ts';

const CAP = 1024 * 1024;
let running: RunningConsole;
let agent: EnrolledAgent;
let sibling: EnrolledAgent;
let stranger: EnrolledAgent;
const clock = createManualClock(new Date());

beforeAll(async () => {
  const now = { now: () => clock.now(), monotonicMs: () => performance.now() };
  running = await startConsole({
    limits: { uploadBytes: CAP, uploadAgentBytes: 4 * CAP, uploadsOpen: 5 },
    clock: now,
  });
  await addTenant(running, 'acme');
  await addTenant(running, 'globex');
  [agent, sibling, stranger] = await Promise.all([
    enrolAgent(running, 'acme'),
    enrolAgent(running, 'acme'),
    enrolAgent(running, 'globex'),
  ]);
});
afterAll(async () => running[Symbol.asyncDispose]());

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const tus = { 'tus-resumable': '1.0.0' };
const piece = (offset: number) => ({
  ...tus,
  'content-type': 'application/offset+octet-stream',
  'upload-offset': String(offset),
});
const about = (bytes: Uint8Array, name = 'scan.pdf') =>
  ({
    name,
    sha256: sha256(bytes),
    kind: 'document',
    run_id: null,
    flow: null,
    purpose: 'the scan of Monday',
  }) as const;
const create = async (
  caller: EnrolledAgent,
  bytes: Uint8Array,
  options: { name?: string; length?: number; headers?: Record<string, string> } = {},
) =>
  call(caller, 'POST', `${running.url}/edge/uploads`, undefined, {
    ...tus,
    'upload-length': String(options.length ?? bytes.length),
    'upload-metadata': formatUploadMetadata(about(bytes, options.name)),
    ...options.headers,
  });
const send = async (caller: EnrolledAgent, url: string, offset: number, bytes: Uint8Array) => {
  const token = await signRequestToken({ ...caller, method: 'PATCH', url, now: new Date() });
  return fetch(url, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${token}`, ...piece(offset) },
    body: bytes,
  });
};
const head = async (caller: EnrolledAgent, url: string) => call(caller, 'HEAD', url, undefined, tus);
const placeOf = async (bytes: Uint8Array, name?: string) => {
  const response = await create(agent, bytes, name === undefined ? {} : { name });
  return response.headers.get('location') as string;
};
const operator = async (path: string, key = running.apiKey) =>
  fetch(running.url + path, { headers: { 'x-api-key': key } });
const codeOf = async (response: Response) =>
  ((await response.json()) as { error: { code: string } }).error.code;

/** Sends the beginning of a piece and goes away. */
/** Breaks off once the console has written so many bytes of it down. */
const breakOff = async (url: string, offset: number, bytes: Uint8Array, after: number) => {
  const token = await signRequestToken({ ...agent, method: 'PATCH', url, now: new Date() });
  const outgoing = request(url, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${token}`, ...piece(offset), 'content-length': String(bytes.length) },
  });
  const broken = new Promise<void>((resolve) => void outgoing.on('error', () => resolve()));
  outgoing.write(bytes.subarray(0, after));
  const file = join(running.directory, 'data', 'uploads', url.split('/').at(-1) as string);
  await expect.poll(() => statSync(file).size).toBe(offset + after);
  outgoing.destroy();
  await broken;
};

describe('an upload', () => {
  it('arrives in pieces, is checked whole and is there for the operator', async () => {
    const bytes = randomBytes(300_000);
    const made = await create(agent, bytes);
    expect(made.status).toBe(201);
    expect(made.headers.get('tus-resumable')).toBe('1.0.0');
    const url = made.headers.get('location') as string;
    expect(url).toMatch(new RegExp(`^${running.url}/edge/uploads/[0-9a-f-]{36}$`));
    const first = await send(agent, url, 0, bytes.subarray(0, 100_000));
    expect([first.status, first.headers.get('upload-offset')]).toEqual([204, '100000']);
    const id = url.split('/').at(-1) as string;
    expect((await operator(`/api/uploads/${id}`)).status).toBe(404);
    const standing = await head(agent, url);
    expect([
      standing.status,
      standing.headers.get('upload-offset'),
      standing.headers.get('upload-length'),
    ]).toEqual([200, '100000', '300000']);
    expect((await send(agent, url, 100_000, bytes.subarray(100_000))).status).toBe(204);

    const { uploads } = (await (await operator(`/api/agents/${agent.issuer}/uploads`)).json()) as {
      uploads: Record<string, unknown>[];
    };
    expect(uploads.find((each) => each['upload_id'] === id)).toMatchObject({
      tenant: 'acme',
      name: 'scan.pdf',
      size: 300_000,
      sha256: sha256(bytes),
      purpose: 'the scan of Monday',
      received: 300_000,
    });
    const file = await operator(`/api/uploads/${id}`);
    expect(file.headers.get('content-disposition')).toBe(
      `attachment; filename="scan.pdf"; filename*=UTF-8''scan.pdf`,
    );
    expect(file.headers.get('x-content-type-options')).toBe('nosniff');
    expect(file.headers.get('content-type')).toBe('application/octet-stream');
    expect(Buffer.from(await file.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it('is one upload however often it is made, and goes on where it stands', async () => {
    const bytes = randomBytes(50_000);
    const url = await placeOf(bytes);
    await send(agent, url, 0, bytes.subarray(0, 20_000));
    const again = await create(agent, bytes);
    expect([again.status, again.headers.get('location'), again.headers.get('upload-offset')]).toEqual([
      200,
      url,
      '20000',
    ]);
    expect((await send(agent, url, 20_000, bytes.subarray(20_000))).status).toBe(204);
    const whole = await create(agent, bytes);
    expect([whole.status, whole.headers.get('upload-offset')]).toEqual([200, '50000']);
  });

  it('keeps what came before the connection broke', async () => {
    const bytes = randomBytes(200_000);
    const url = await placeOf(bytes);
    await breakOff(url, 0, bytes, 65_536);
    const offset = Number((await head(agent, url)).headers.get('upload-offset'));
    expect(offset).toBe(65_536);
    expect((await send(agent, url, offset, bytes.subarray(offset))).status).toBe(204);
    expect((await head(agent, url)).headers.get('upload-offset')).toBe('200000');
  });

  it('lets a newer request go on when an older one hangs', async () => {
    const bytes = randomBytes(100_000);
    const url = await placeOf(bytes);
    const token = await signRequestToken({ ...agent, method: 'PATCH', url, now: new Date() });
    const hanging = request(url, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${token}`, ...piece(0), 'content-length': String(bytes.length) },
    });
    hanging.on('error', () => {});
    await new Promise<void>((resolve) => hanging.write(bytes.subarray(0, 1_000), () => resolve()));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await head(agent, url)).headers.get('upload-offset')).toBe('1000');
    expect((await send(agent, url, 1_000, bytes.subarray(1_000))).status).toBe(204);
    hanging.destroy();
  });

  it('of no bytes is whole when it is made', async () => {
    const made = await create(agent, Buffer.alloc(0), { name: 'empty.txt' });
    expect(made.status).toBe(201);
    const id = (made.headers.get('location') as string).split('/').at(-1);
    const file = await operator(`/api/uploads/${id}`);
    expect([file.status, await file.text()]).toEqual([200, '']);
  });

  it('with other bytes than it said is thrown away', async () => {
    const bytes = randomBytes(10_000);
    const url = await placeOf(bytes);
    const wrong = await send(agent, url, 0, randomBytes(10_000));
    expect([wrong.status, await codeOf(wrong)]).toEqual([422, 'digest_mismatch']);
    expect((await head(agent, url)).status).toBe(404);
    expect(readdirSync(join(running.directory, 'data/uploads'))).not.toContain(url.split('/').at(-1));
    expect((await create(agent, bytes)).status).toBe(201);
    await send(agent, await placeOf(bytes), 0, bytes);
  });

  it('whose bytes are all there and were never checked is checked when asked for', async () => {
    const bytes = randomBytes(1_000);
    const url = await placeOf(bytes, 'cut.bin');
    // As after a crash between the last byte and the digest.
    writeFileSync(join(running.directory, 'data/uploads', url.split('/').at(-1) as string), bytes);
    expect((await head(agent, url)).headers.get('upload-offset')).toBe('1000');
    expect((await operator(`/api/uploads/${url.split('/').at(-1)}`)).status).toBe(200);
  });
});

describe('what is refused', () => {
  it.each([
    ['another version', { 'tus-resumable': '0.2.2' }, 412, 'version_unknown'],
    ['no length', { 'upload-length': 'many' }, 400, 'header_malformed'],
    ['no metadata', { 'upload-metadata': 'name ?' }, 400, 'header_malformed'],
    [
      'no digest',
      { 'upload-metadata': `name ${btoa('a.txt')},kind ${btoa('document')}` },
      422,
      'metadata_invalid',
    ],
    [
      'a name with a line break',
      { 'upload-metadata': `name ${btoa('a\nb')},sha256 ${btoa('a'.repeat(64))},kind ${btoa('output')}` },
      422,
      'metadata_invalid',
    ],
    ['a key twice', { 'upload-metadata': `name ${btoa('a')},name ${btoa('b')}` }, 400, 'header_malformed'],
    ['too much', { 'upload-length': String(CAP + 1) }, 413, 'too_large'],
  ])('%s', async (_what, headers, status, code) => {
    const response = await create(agent, randomBytes(10), { headers });
    expect([response.status, await codeOf(response)]).toEqual([status, code]);
  });

  it('a piece at another offset, of another type, or beyond the end', async () => {
    const bytes = randomBytes(1_000);
    const url = await placeOf(bytes, 'offsets.bin');
    const wrong = await send(agent, url, 5, bytes);
    expect([wrong.status, wrong.headers.get('upload-offset')]).toEqual([409, '0']);
    const type = await call(agent, 'PATCH', url, { a: 1 }, tus);
    expect([type.status, await codeOf(type)]).toEqual([415, 'content_type_unknown']);
    const long = await send(agent, url, 0, randomBytes(1_001));
    expect([long.status, await codeOf(long)]).toEqual([413, 'too_large']);
    await send(agent, url, 0, bytes);
  });

  it('a call without the word of an agent', async () => {
    expect((await fetch(`${running.url}/edge/uploads`, { method: 'POST', headers: tus })).status).toBe(401);
    expect((await operator(`/api/agents/${agent.issuer}/uploads`, 'wrong')).status).toBe(401);
  });

  it('more bytes than an agent may keep, and more open uploads than it may have', async () => {
    const places: string[] = [];
    for (let n = 0; n < 5; n += 1) {
      const made = await create(sibling, randomBytes(8), { length: n === 0 ? CAP : 8, name: `open-${n}` });
      places.push(made.headers.get('location') as string);
      expect(made.status).toBe(201);
    }
    const open = await create(sibling, randomBytes(8), { name: 'one-more' });
    expect([open.status, open.headers.get('retry-after'), await codeOf(open)]).toEqual([
      429,
      '60',
      'too_many_uploads',
    ]);

    const remove = async (url: string) =>
      fetch(`${running.url}/api/uploads/${url.split('/').at(-1)}`, {
        method: 'DELETE',
        headers: { 'x-api-key': running.apiKey },
      });
    for (const url of places) expect((await remove(url)).status).toBe(204);
    expect((await remove(places[0] as string)).status).toBe(404);
    const told = (await running.console.admin.audit({ limit: 500 })).filter(
      ({ action }) => action === 'upload_removed',
    );
    expect(told).toHaveLength(places.length);
    expect(told[0]).toMatchObject({ agent_id: sibling.issuer, by: 'key:test' });
    for (let n = 0; n < 4; n += 1) await create(sibling, randomBytes(8), { length: CAP, name: `large-${n}` });
    const quota = await create(sibling, randomBytes(8), { name: 'too much' });
    expect([quota.status, await codeOf(quota)]).toEqual([507, 'quota_used_up']);
  });
});

describe('the uploads of one agent', () => {
  it('are not there for another, of the same tenant or not', async () => {
    const bytes = randomBytes(1_000);
    const url = await placeOf(bytes, 'mine.bin');
    for (const other of [sibling, stranger]) {
      expect((await head(other, url)).status).toBe(404);
      expect((await send(other, url, 0, bytes)).status).toBe(404);
    }
    const own = await create(stranger, bytes, { name: 'mine.bin' });
    expect(own.status).toBe(201);
    expect(own.headers.get('location')).not.toBe(url);
    await send(agent, url, 0, bytes);
  });

  it('lie in files that only the console may read', async () => {
    const url = await placeOf(randomBytes(10), 'private.bin');
    const file = join(running.directory, 'data/uploads', url.split('/').at(-1) as string);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

describe('the answer to a report', () => {
  const output = (name: string, size = 10) => ({ name, size, sha256: sha256(Buffer.from(name)) });
  const notify = async (outputs: ReturnType<typeof output>[]) => {
    const report = runReport({ outputs });
    const response = await call(agent, 'POST', `${running.url}/edge/notify`, report, {
      'idempotency-key': `${report.run_id}.1`,
    });
    return (await response.json()) as { uploads?: { name: string; upload_url: string }[] };
  };

  it('gives the outputs a place, and none that are too large', async () => {
    const { uploads } = await notify([
      output('a.txt'),
      output('huge.bin', CAP + 1),
      output('edge-uploads.json'),
    ]);
    expect(uploads).toEqual([{ name: 'a.txt', upload_url: `${running.url}/edge/uploads` }]);
  });

  it('stays within what an agent reads, however many outputs there are', async () => {
    const answer = await notify(Array.from({ length: 3_000 }, (_, n) => output(`${n}-${'x'.repeat(200)}`)));
    expect(answer.uploads?.length).toBeGreaterThan(50);
    expect(JSON.stringify(answer).length).toBeLessThan(60 * 1024);
  });

  it('asks for nothing when the tenant’s outputs are not wanted', async () => {
    await running.console.admin.setOutputsWanted('acme', false);
    expect((await notify([output('a.txt')])).uploads).toBeUndefined();
    await running.console.admin.setOutputsWanted('acme', true);
    expect((await notify([output('a.txt')])).uploads).toHaveLength(1);
  });
});

describe('an upload that is never finished', () => {
  it('is given up after a week, its file too', async () => {
    const one = await startConsole({
      clock: { now: () => clock.now(), monotonicMs: () => performance.now() },
    });
    const directory = join(one.directory, 'data');
    const { openState } = await import('../../console/state.ts');
    const { DEFAULT_LIMITS } = await import('../../console/limits.ts');
    await addTenant(one, 'acme');
    const enrolled = await enrolAgent(one, 'acme');
    const bytes = randomBytes(100);
    const made = await call(enrolled, 'POST', `${one.url}/edge/uploads`, undefined, {
      ...tus,
      'upload-length': '100',
      'upload-metadata': formatUploadMetadata(about(bytes)),
    });
    expect(made.status).toBe(201);
    const later = { now: () => new Date(clock.now().getTime() + 6.9 * 86_400_000), monotonicMs: () => 0 };
    const state = await openState(directory, later);
    await state.prune(DEFAULT_LIMITS);
    expect(readdirSync(join(directory, 'uploads'))).toHaveLength(1);
    await state.close();
    const much = await openState(directory, {
      ...later,
      now: () => new Date(clock.now().getTime() + 7.1 * 86_400_000),
    });
    await much.prune(DEFAULT_LIMITS);
    expect(readdirSync(join(directory, 'uploads'))).toEqual([]);
    await much.close();
    await one[Symbol.asyncDispose]();
  });
});
