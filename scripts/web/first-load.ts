import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of manifest.json, as Vite writes it. */
interface Chunk {
  readonly file: string;
  readonly css?: readonly string[];
  readonly assets?: readonly string[];
  readonly imports?: readonly string[];
}

/**
 * The files a browser fetches when somebody opens an address for the first time: index.html, what it loads, and the code of the
 * page with all that it imports. Paths below the folder of the build. Throws when the build knows no such page.
 */
export function filesOfFirstLoad(folder: string, page: string): string[] {
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<string, Chunk>;
  const files = new Set(['index.html']);
  const seen = new Set<string>();
  const take = (name: string) => {
    if (seen.has(name)) return;
    seen.add(name);
    const chunk = manifest[name];
    if (chunk === undefined)
      throw new Error(`expected ${name} in manifest.json, found ${Object.keys(manifest).join(', ')}`);
    for (const file of [chunk.file, ...(chunk.css ?? []), ...(chunk.assets ?? [])]) files.add(file);
    for (const each of chunk.imports ?? []) take(each);
  };
  take('index.html');
  take(page);
  return [...files];
}

/** What of them goes over the wire to a browser that takes gzip and no more: bytes. */
export function gzipBytes(folder: string, files: readonly string[]): number {
  return files
    .map((file) => readFileSync(join(folder, `${file}.gz`)).length)
    .reduce((sum, each) => sum + each, 0);
}
