import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { filesOfFirstLoad, gzipBytes } from '../../../scripts/web/first-load.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const WEB = join(ROOT, '.cache/web');
/** Of everything that the first load of a page takes, with gzip. */
const LIMIT_BYTES = 150_000;
/** Without the page's own part: a page that needs more should fetch it when it is needed. */
const FRAME_LIMIT_BYTES = 80_000;

const PAGES = readdirSync(join(ROOT, 'console/web/pages'))
  .filter((name) => name.endsWith('.tsx'))
  .map((name) => `pages/${name}`);

beforeAll(() => {
  execFileSync(process.execPath, [join(ROOT, 'scripts/build-web.ts')], { stdio: 'pipe' });
});

it('takes less than 150 KB to open any page for the first time', () => {
  expect(PAGES.length).toBeGreaterThan(14);
  const sizes = Object.fromEntries(PAGES.map((page) => [page, gzipBytes(WEB, filesOfFirstLoad(WEB, page))]));
  // Less than Preact and the frame alone take would mean that something was not counted.
  expect(Math.min(...Object.values(sizes))).toBeGreaterThan(30_000);
  expect(Object.entries(sizes).filter(([, bytes]) => bytes > LIMIT_BYTES)).toEqual([]);
});

it('takes most of that for the page, and little for what is around it', () => {
  const frame = filesOfFirstLoad(WEB, 'index.html');
  expect(frame.some((file) => file.endsWith('.css'))).toBe(true);
  expect(gzipBytes(WEB, frame)).toBeLessThan(FRAME_LIMIT_BYTES);
});

it('brings no schema library into the browser', () => {
  const code = readdirSync(join(WEB, 'assets')).filter((name) => name.endsWith('.js'));
  expect(code.length).toBeGreaterThan(10);
  expect(
    code.filter((name) => /ZodError|_zod/.test(readFileSync(join(WEB, 'assets', name), 'utf8'))),
  ).toEqual([]);
});

it('counts what is imported by what is imported, styles too, each once', () => {
  const folder = mkdtempSync(join(tmpdir(), 'first-load-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const bytes = (name: string, content: Buffer) => {
    writeFileSync(join(folder, `${name}.gz`), gzipSync(content));
    return readFileSync(join(folder, `${name}.gz`)).length;
  };
  const sizes = ['index.html', 'main.js', 'page.js', 'shared.js', 'page.css'].map((name) =>
    bytes(name, randomBytes(60_000)),
  );
  writeFileSync(
    join(folder, 'manifest.json'),
    JSON.stringify({
      'index.html': {
        file: 'main.js',
        imports: ['_shared.js'],
        dynamicImports: ['pages/a.tsx', 'pages/b.tsx'],
      },
      'pages/a.tsx': { file: 'page.js', imports: ['_shared.js'], css: ['page.css'] },
      'pages/b.tsx': { file: 'other.js' },
      '_shared.js': { file: 'shared.js' },
    }),
  );
  const total = gzipBytes(folder, filesOfFirstLoad(folder, 'pages/a.tsx'));
  expect(total).toBe(sizes.reduce((sum, each) => sum + each));
  expect(total).toBeGreaterThan(LIMIT_BYTES);
  expect(() => filesOfFirstLoad(folder, 'pages/none.tsx')).toThrow('expected pages/none.tsx');
});
