import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A program that tests talk to and that no package registry of ours holds. */
export interface Part {
  readonly name: string;
  /** The key of the cache: another version is another folder. */
  readonly version: string;
  /** What `go install` takes before the `@`. */
  readonly goPackage: string;
  /** How long a first build takes, for the reader of the terminal. */
  readonly takes: string;
}

const ROOT = new URL('../../', import.meta.url);
const SUFFIX = process.platform === 'win32' ? '.exe' : '';

/** `.cache/parts/`, or `parts/` below EDGE_AGENT_CACHE. */
export function partsFolder(): URL {
  const own = process.env['EDGE_AGENT_CACHE'];
  return own ? new URL('parts/', pathToFileURL(join(own, '/'))) : new URL('.cache/parts/', ROOT);
}

/** Where the part is: the user's own on PATH, else the one in the cache, else null. */
export function findPart(part: Part): string | null {
  const own = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return (
    [...own.map((folder) => join(folder, part.name + SUFFIX)), cachedPart(part)].find(executable) ?? null
  );
}

export function cachedPart({ name, version }: Part): string {
  return fileURLToPath(new URL(`${name}/${version}/${name}${SUFFIX}`, partsFolder()));
}

/** CI services set CI; there a missing part is a fault and no reason to skip. */
export function inCi(): boolean {
  return !['', '0', 'false'].includes(process.env['CI'] ?? '');
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
