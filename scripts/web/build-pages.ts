import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'vite';
import { sourceFiles } from '../source-files.ts';

const STAMP = '.stamp';
const COMPRESSED = /\.(html|js|css|svg)$/;

/** What the pages are made of: the same text gives the same digest, whatever the times of the files are. */
export function stampOfSources(root: string): string {
  const digest = createHash('sha256');
  const files = [...sourceFiles(root, ['console/web', 'schemas', 'scripts/web']), 'package-lock.json'];
  for (const file of files.toSorted())
    digest
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return digest.digest('hex');
}

/** Of the pages that lie in `folder`; null when none do. */
export function stampOfPages(folder: string): string | null {
  try {
    return readFileSync(join(folder, STAMP), 'utf8');
  } catch {
    return null;
  }
}

/**
 * Builds the console's pages from `root`/console/web into `folder`: index.html, and below assets/ files whose names carry the
 * digest of their content, with gzip and Brotli of each beside it. What lay in `folder` stays whole until all of it is there.
 */
export async function buildPages(root: string, folder: string): Promise<void> {
  const making = `${folder}.${process.pid}`;
  const stamp = stampOfSources(root);
  try {
    await build({
      configFile: false,
      root: join(root, 'console/web'),
      cacheDir: join(root, '.cache/vite'),
      logLevel: 'warn',
      oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
      // With Node's own the two of them would be loaded: the one of the packages and the one of the pages.
      resolve: { dedupe: ['preact'] },
      build: {
        outDir: making,
        emptyOutDir: true,
        target: 'es2022',
        // The policy of the pages knows no inline script, style or data: image.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        reportCompressedSize: false,
        manifest: 'manifest.json',
      },
    });
    compress(making);
    writeFileSync(join(making, STAMP), stamp);
    mkdirSync(dirname(folder), { recursive: true });
    rmSync(folder, { recursive: true, force: true });
    renameSync(making, folder);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

/** Once at the build, and not at every answer. */
function compress(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !COMPRESSED.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const content = readFileSync(path);
    const text = constants.BROTLI_MODE_TEXT;
    writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
    writeFileSync(
      `${path}.br`,
      brotliCompressSync(content, {
        params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_MODE]: text },
      }),
    );
  }
}
