import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sourceFiles } from '../../../scripts/source-files.ts';
import { type RunningConsole, startConsole } from '../running-console.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

let running: RunningConsole;
let built: string | null = join(ROOT, '.cache/web');

beforeAll(async () => {
  execFileSync(process.execPath, [join(ROOT, 'scripts/build-web.ts')], { stdio: 'pipe' });
  running = await startConsole({ pages: () => built, limits: { strangerBurst: 1_000 } });
});
afterAll(async () => running[Symbol.asyncDispose]());

const get = async (path: string, headers: Record<string, string> = {}) =>
  fetch(running.url + path, { headers, redirect: 'manual' });

/** As it goes over the wire: `fetch` would decompress it. */
async function raw(path: string, headers: Record<string, string>) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number | undefined;
    headers: NodeJS.Dict<string | string[]>;
    body: Buffer;
  }>();
  request(new URL(path, running.url), { headers }, (answer) => {
    buffer(answer).then(
      (body) => resolve({ status: answer.statusCode, headers: answer.headers, body }),
      reject,
    );
  })
    .on('error', reject)
    .end();
  return promise;
}

function pathsOfRoutes(): string[] {
  const text = readFileSync(join(ROOT, 'console/web/routes.ts'), 'utf8');
  return [...text.matchAll(/path: '([^']+)'/g)].map(([, path]) => String(path));
}

it('gives a browser the page on every address that the pages know', async () => {
  const paths = pathsOfRoutes();
  expect(paths.length).toBeGreaterThan(14);
  for (const path of paths) {
    const answer = await get(path.replaceAll(/:\w+/g, 'some-thing'), BROWSER);
    expect([path, answer.status]).toEqual([path, 200]);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-cache');
    expect(await answer.text()).toContain('<div id="page">');
  }
});

it('gives programs what they got: text at the root, nothing of a page where they send a key', async () => {
  const programs: Record<string, string>[] = [
    {},
    { accept: 'application/json' },
    { ...BROWSER, 'x-api-key': running.apiKey },
  ];
  for (const headers of programs) {
    const answer = await get('/', headers);
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(answer.headers.get('vary')).toContain('accept');
    expect(await answer.text()).toMatch(/^Edge-Agent console\n/);
  }
});

it('tells a browser of an address that is none in a page, and a program in JSON', async () => {
  const page = await get('/nowhere/at/all', BROWSER);
  expect([page.status, page.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
  expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
  for (const path of ['/api/nowhere', '/git/none.git/nowhere', '/assets/a/b.js']) {
    const answer = await get(path, BROWSER);
    expect([path, answer.status]).toEqual([path, 404]);
    expect(answer.headers.get('content-type')).toContain('json');
  }
  expect(JSON.parse(await (await get('/nowhere')).text()).error.code).toBe('not_found');
});

it('lets nothing run in a page that is no file of ours', async () => {
  const answer = await get('/agents/a1', BROWSER);
  const policy = new Map(
    (answer.headers.get('content-security-policy') ?? '')
      .split('; ')
      .map((each) => [each.slice(0, each.indexOf(' ')), each.slice(each.indexOf(' ') + 1)]),
  );
  expect(Object.fromEntries(policy)).toEqual({
    'default-src': "'none'",
    'script-src': "'self'",
    'style-src': "'self'",
    // pictures that a run left, which the page has fetched
    'img-src': "'self' blob: data:",
    'connect-src': "'self'",
    'font-src': "'self'",
    'form-action': "'self'",
    'base-uri': "'none'",
    'frame-ancestors': "'none'",
  });
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
  expect(answer.headers.get('cross-origin-opener-policy')).toBe('same-origin');
  expect(answer.headers.get('permissions-policy')).toContain('camera=()');

  const page = await answer.text();
  expect(page).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|\sstyle=/);
  const sources = sourceFiles(ROOT, ['console/web']).filter((file) => file.endsWith('.tsx'));
  const inline = sources.filter((file) =>
    /\sstyle=|dangerouslySetInnerHTML|innerHTML/.test(readFileSync(join(ROOT, file), 'utf8')),
  );
  expect(inline).toEqual([]);
});

it('sends code as it was compressed at the build, to be kept for good', async () => {
  const page = await (await get('/', BROWSER)).text();
  const script = /src="(\/assets\/[^"]+\.js)"/.exec(page)?.[1] ?? '';
  const brotli = await raw(script, { 'accept-encoding': 'gzip, deflate, br' });
  expect(brotli.headers).toMatchObject({
    'content-encoding': 'br',
    'cache-control': 'public, max-age=31536000, immutable',
    'x-content-type-options': 'nosniff',
  });
  expect(brotli.headers['content-type']).toMatch(/javascript/);
  const plain = await raw(script, {});
  expect(plain.headers['content-encoding']).toBeUndefined();
  expect(brotliDecompressSync(brotli.body).equals(plain.body)).toBe(true);
  expect((await raw(script, { 'accept-encoding': 'gzip' })).headers['content-encoding']).toBe('gzip');
});

it('knows no other file than those of the build', async () => {
  for (const name of [
    'none-12345678.js',
    '.stamp',
    '..%2fmanifest.json',
    '%2e%2e%2f.stamp',
    'a%00.js',
    'a',
  ]) {
    const { status, body } = await raw(`/assets/${name}`, {});
    expect([name, status]).toEqual([name, 404]);
    expect(JSON.parse(body.toString()).error.code).toBe('not_found');
  }
});

it('says how to build the pages where nobody has', async () => {
  const before = built;
  built = null;
  try {
    const page = await get('/agents', BROWSER);
    expect(page.status).toBe(503);
    expect(await page.text()).toContain('node scripts/build-web.ts');
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/')).status).toBe(200);
  } finally {
    built = before;
  }
});
