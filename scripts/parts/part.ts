import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A program that tests talk to and that npm does not hold. */
export interface Part {
  /** Of its program too. */
  readonly name: string;
  /** The key of the cache: another version is another folder. */
  readonly version: string;
  /** How long a first build takes, for the reader of the terminal. */
  readonly takes: string;
  readonly build: PartBuild;
}

export type PartBuild =
  /** `go install <package>@<version>`. */
  | { readonly kind: 'go'; readonly package: string }
  /** For a module with `replace` in its go.mod, which `go install` refuses: built in the module's own folder. */
  | { readonly kind: 'go-module'; readonly module: string; readonly package: string }
  | {
      readonly kind: 'cargo';
      readonly crate: string;
      readonly features: readonly string[];
      /** Packages of its lock file that this compiler no longer takes, and the versions that it does. */
      readonly updates: Readonly<Record<string, string>>;
    }
  /** Comes as a wheel; `program` is where it lies in it, a pattern. */
  | { readonly kind: 'pip-program'; readonly package: string; readonly program: string }
  /** Not a program: a folder of installed packages, for PYTHONPATH. */
  | { readonly kind: 'python-packages'; readonly packages: readonly string[] }
  /** Not a program: a folder of wheels. */
  | { readonly kind: 'wheels'; readonly packages: readonly string[] };

const ROOT = new URL('../../', import.meta.url);
const SUFFIX = process.platform === 'win32' ? '.exe' : '';

/** `.cache/parts/`, or `parts/` below EDGE_AGENT_CACHE. */
export function partsFolder(): URL {
  const own = process.env['EDGE_AGENT_CACHE'];
  return own ? new URL('parts/', pathToFileURL(join(own, '/'))) : new URL('.cache/parts/', ROOT);
}

/** Where the part is: the user's own on PATH, else the one in the cache, else null. */
export function findPart(part: Part): string | null {
  return findProgram(part.name) ?? [cachedPart(part)].find(executable) ?? null;
}

/** Of that name on PATH. */
export function findProgram(name: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, programOf({ name }))).find(executable) ?? null;
}

export function cachedPart(part: Part): string {
  return fileURLToPath(new URL(`${part.name}/${part.version}/${programOf(part)}`, partsFolder()));
}

/** The name of its file on this platform. */
export function programOf({ name }: Pick<Part, 'name'>): string {
  return name + SUFFIX;
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
