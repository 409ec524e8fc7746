import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Which program this is: node and the file it was started with. Children of ours are the same, with an internal verb. */
export interface Executable {
  readonly node: string;
  readonly main: string;
}

export interface ChildRights {
  /** Absolute paths besides the program itself. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly net: boolean;
  /** `--max-old-space-size` and `--max-semi-space-size`. */
  readonly heap?: { readonly oldSpaceMiB: number; readonly semiSpaceMiB: number };
}

export type SpawnChild = (verb: 'internal-fetch' | 'internal-unpack', rights: ChildRights) => ChildProcess;

/** Starts a child under Node's permission model: it may not spawn, and reads and writes only what is named (design.md). */
export function createChildSpawner(executable: Executable): SpawnChild {
  const program = resolve(dirname(executable.main), '..');
  let dropping: readonly string[] | null = null;
  return (verb, rights) => {
    const flags = [
      '--permission',
      ...[program, ...rights.read, ...rights.write].map((path) => `--allow-fs-read=${path}`),
      ...rights.write.map((path) => `--allow-fs-write=${path}`),
      ...(rights.net ? ['--allow-net'] : []),
      // Node's permissions say nothing of what SQLite opens: a child could write to any database, ours too.
      '--no-experimental-sqlite',
      ...heapFlags(rights.heap),
      '--disable-warning=ExperimentalWarning',
      '--disable-warning=SecurityWarning',
    ];
    dropping ??= droppingWords();
    const [file, ...words] = [...dropping, executable.node, ...flags, executable.main, verb];
    return spawn(file, words, {
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
      env: childEnvironment(),
    });
  };
}

const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];
/** Without what only root can do, but its access to files: folders of the agent may be another account's. */
const AS_ROOT = ['--bounding-set=-all,+dac_override,+dac_read_search,+fowner', '--inh-caps=-all'];
/** For a program that does nothing. */
const TRY_TIMEOUT_MS = 5_000;

/**
 * What stands before a child so that the kernel takes rights from it that Node's permissions do not know of: setuid programs,
 * and, of root, mounting, tracing, killing and becoming others. Tried once: where root itself lacks rights it cannot give them up.
 */
function droppingWords(): readonly string[] {
  const program = process.platform === 'linux' ? SETPRIV.find((path) => existsSync(path)) : undefined;
  if (program === undefined) return [];
  const most = [program, '--no-new-privs', ...(process.getuid?.() === 0 ? AS_ROOT : []), '--'];
  const works = ([file, ...words]: readonly string[]) =>
    spawnSync(file as string, [...words, '/bin/true'], { timeout: TRY_TIMEOUT_MS, stdio: 'ignore' })
      .status === 0;
  const least = [program, '--no-new-privs', '--'];
  return [most, least].find(works) ?? [];
}

function heapFlags(heap: ChildRights['heap']): string[] {
  if (heap === undefined) return [];
  return [`--max-old-space-size=${heap.oldSpaceMiB}`, `--max-semi-space-size=${heap.semiSpaceMiB}`];
}

/** Nothing of ours that a child does not need: no tokens that happen to be in the environment. */
function childEnvironment(): NodeJS.ProcessEnv {
  const names = [
    'PATH',
    'TZ',
    'LANG',
    'LC_ALL',
    'SystemRoot',
    'TEMP',
    'TMP',
    'NODE_EXTRA_CA_CERTS',
    'SSL_CERT_FILE',
    'SSL_CERT_DIR',
  ];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}
