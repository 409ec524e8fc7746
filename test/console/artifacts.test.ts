import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { artifactSegments } from '../../console/artifact-folder.ts';
import { readByteRange } from '../../console/byte-range.ts';
import { addTenant, enrolAgent, type RunningConsole, startConsole } from './running-console.ts';

const CAP = 1024 * 1024;
const bytes = randomBytes(100_000);
let running: RunningConsole;
let base: string;
let token: string;

beforeAll(async () => {
  running = await startConsole({ limits: { artifactBytes: CAP } });
  const acme = await addTenant(running, 'acme');
  await addTenant(running, 'globex');
  token = acme.publisherToken;
  base = acme.artifactsUrl;
  await put('bundle.tar.gz', bytes);
});
afterAll(async () => running[Symbol.asyncDispose]());

const put = async (name: string, body: Uint8Array | ReadableStream, headers: Record<string, string> = {}) =>
  fetch(base + name, {
    method: 'PUT',
    headers: { authorization: `Basic ${btoa(`publisher:${token}`)}`, ...headers },
    body,
    ...(body instanceof Uint8Array ? {} : { duplex: 'half' }),
  });
const get = async (headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${base}bundle.tar.gz`, { method, headers });
const body = async (response: Response) => Buffer.from(await response.arrayBuffer());

/** fetch() tidies paths up; this does not. */
const rawStatus = async (path: string) =>
  new Promise<number>((resolve, reject) => {
    const { hostname, port } = new URL(running.url);
    request({ hostname, port, path }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });

describe('downloads', () => {
  it('come to anyone, with length and a strong ETag', async () => {
    const response = await get();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe(String(bytes.length));
    expect(response.headers.get('etag')).toMatch(/^"[^"]+"$/);
    expect(response.headers.get('accept-ranges')).toBe('bytes');
    expect((await body(response)).equals(bytes)).toBe(true);
  });

  it.each([
    ['bytes=0-0', 0, 0],
    ['bytes=99990-', 99_990, 99_999],
    ['bytes=-10', 99_990, 99_999],
    ['bytes=50000-200000', 50_000, 99_999],
  ])('resume with Range %s', async (range, first, last) => {
    const response = await get({ range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${first}-${last}/100000`);
    expect((await body(response)).equals(bytes.subarray(first, last + 1))).toBe(true);
  });

  it('say 416 with the size when there is nothing there to resume', async () => {
    const response = await get({ range: 'bytes=100000-' });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toBe('bytes */100000');
  });

  it('resume only over the same bytes', async () => {
    const etag = (await get({}, 'HEAD')).headers.get('etag') ?? '';
    expect((await get({ range: 'bytes=10-', 'if-range': etag })).status).toBe(206);
    const other = await get({ range: 'bytes=10-', 'if-range': '"other"' });
    expect(other.status).toBe(200);
    expect((await body(other)).length).toBe(bytes.length);
    expect((await get({ 'if-none-match': etag })).status).toBe(304);
  });

  it('answer HEAD with the headers alone', async () => {
    const response = await get({}, 'HEAD');
    expect(response.headers.get('content-length')).toBe(String(bytes.length));
    expect((await body(response)).length).toBe(0);
  });

  it('change their ETag with their bytes', async () => {
    await put('moving.bin', Buffer.from('one'));
    const first = (await fetch(`${base}moving.bin`)).headers.get('etag');
    await put('moving.bin', Buffer.from('two'));
    const second = await fetch(`${base}moving.bin`);
    expect(second.headers.get('etag')).not.toBe(first);
    expect(await second.text()).toBe('two');
  });

  it('serve what was laid into the folder by hand, and empty files', async () => {
    const { artifacts } = running.console.admin.paths('acme');
    await mkdir(join(artifacts, 'sub'), { recursive: true });
    await writeFile(join(artifacts, 'sub', 'empty'), '');
    const response = await fetch(`${base}sub/empty`);
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  it('never leave the folder of the tenant, nor list it', async () => {
    const { artifacts } = running.console.admin.paths('acme');
    await symlink('../../console.key', join(artifacts, 'key'));
    await symlink('/', join(artifacts, 'out'));
    await writeFile(join(artifacts, '.hidden'), 'x');
    const paths = [
      '/artifacts/acme/../../console.key',
      '/artifacts/acme/%2e%2e/%2e%2e/console.key',
      '/artifacts/acme/..%2f..%2fconsole.key',
      '/artifacts/acme/..%5c..%5cconsole.key',
      '/artifacts/acme/bundle.tar.gz%00',
      '/artifacts/acme//etc/passwd',
      '/artifacts/%2e%2e/console.key',
      '/artifacts/acme/key',
      '/artifacts/acme/out/etc/passwd',
      '/artifacts/acme/.hidden',
      '/artifacts/acme/',
      '/artifacts/acme/sub',
      '/artifacts/acme',
      '/artifacts/nobody/bundle.tar.gz',
      '/artifacts/globex/bundle.tar.gz',
    ];
    for (const path of paths) expect([path, await rawStatus(path)]).toEqual([path, 404]);
  });
});

describe('uploads', () => {
  it('say what has arrived', async () => {
    const response = await put('v2/bundle.tar.zst', bytes);
    expect(response.status).toBe(201);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(await response.json()).toEqual({ url: `${base}v2/bundle.tar.zst`, sha256, size: bytes.length });
    expect((await put('v2/bundle.tar.zst', bytes)).status).toBe(200);
  });

  it('do not overwrite when asked not to', async () => {
    const response = await put('bundle.tar.gz', Buffer.from('other'), { 'if-none-match': '*' });
    expect(response.status).toBe(412);
    expect((await body(await get())).equals(bytes)).toBe(true);
    const both = await Promise.all(
      ['a', 'b'].map(async (text) => put('once', Buffer.from(text), { 'if-none-match': '*' })),
    );
    expect(both.map((each) => each.status).sort((a, b) => a - b)).toEqual([201, 412]);
  });

  it('stop at the cap and leave nothing, told or not how long they are', async () => {
    expect((await put('big', Buffer.alloc(CAP + 1))).status).toBe(413);
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
    });
    const answer = await put('big', endless).then(
      (response) => response.status,
      () => 'cut off',
    );
    expect([413, 'cut off']).toContain(answer);
    const { artifacts } = running.console.admin.paths('acme');
    await expect
      .poll(async () => (await readdir(artifacts)).filter((name) => name.startsWith('.upload')))
      .toEqual([]);
    expect((await fetch(`${base}big`)).status).toBe(404);
  });

  it('leave nothing when they break off', async () => {
    const { hostname, port } = new URL(running.url);
    const headers = { authorization: `Basic ${btoa(`p:${token}`)}`, 'content-length': 1_000 };
    const client = request({ hostname, port, path: '/artifacts/acme/half', method: 'PUT', headers });
    client.on('error', () => {});
    client.write('half');
    const { artifacts } = running.console.admin.paths('acme');
    const drafts = async () => (await readdir(artifacts)).filter((name) => name.startsWith('.upload')).length;
    await expect.poll(drafts).toBe(1);
    client.destroy();
    await expect.poll(drafts).toBe(0);
    expect((await fetch(`${base}half`)).status).toBe(404);
  });

  it('need the publisher token of that tenant', async () => {
    const agent = await enrolAgent(running, 'acme');
    const as = async (url: string, password: string) =>
      (
        await fetch(url, {
          method: 'PUT',
          headers: { authorization: `Basic ${btoa(`x:${password}`)}` },
          body: 'x',
        })
      ).status;
    expect(await as(`${base}x`, 'wrong')).toBe(401);
    expect(await as(`${base}x`, agent.answer.git.token ?? '')).toBe(403);
    expect(await as(base.replace('acme', 'globex') + 'x', token)).toBe(403);
    expect((await fetch(`${base}x`, { method: 'PUT', body: 'x' })).status).toBe(401);
  });

  it('refuse names that mean something else elsewhere', async () => {
    for (const name of ['CON', 'a./b', '.x', 'a%5cb', 'a:b', 'x'.repeat(201)]) {
      expect([name, (await put(name, Buffer.from('x'))).status]).toEqual([name, 400]);
    }
  });
});

describe('the parts', () => {
  it('make no path of segments that could leave the folder', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('.', '/', '\\', 'a', '%', '\0', '~', '-') }), (path) => {
        const segments = artifactSegments(path);
        if (segments === null) return;
        expect(join('/root', ...segments)).toBe(`/root/${path}`);
        expect(segments.every((segment) => !segment.startsWith('.') && !segment.includes('\\'))).toBe(true);
      }),
    );
  });

  it('never make a range outside the content', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.option(fc.nat(2_000)), fc.option(fc.nat(2_000)), (size, from, to) => {
        const range = readByteRange(`bytes=${from ?? ''}-${to ?? ''}`, size);
        if (range.kind !== 'part') return;
        expect(range.first).toBeGreaterThanOrEqual(0);
        expect(range.first).toBeLessThanOrEqual(range.last);
        expect(range.last).toBeLessThan(size);
        expect(range.first).toBe(from ?? size - Math.min(size, to ?? 0));
      }),
    );
  });
});
