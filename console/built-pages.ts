import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Beside this file in what is published, and in a checkout where scripts/build-web.ts puts them. */
const PLACES = ['./web', '../.cache/web'];
/** Written by the build, so that the sources of the pages are not taken for them. */
const SIGN = 'manifest.json';

/** The folder with index.html and assets/; null where nobody has built them. Asked each time: they may be built meanwhile. */
export function builtPages(folders: readonly string[] = ownPlaces()): string | null {
  return folders.find((folder) => existsSync(join(folder, SIGN))) ?? null;
}

function ownPlaces(): string[] {
  return PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url)));
}
