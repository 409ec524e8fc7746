import { type ChildProcess, spawn } from 'node:child_process';
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
  return (verb, rights) => {
    const flags = [
      '--permission',
      ...[program, ...rights.read, ...rights.write].map((path) => `--allow-fs-read=${path}`),
      ...rights.write.map((path) => `--allow-fs-write=${path}`),
      ...(rights.net ? ['--allow-net'] : []),
      ...heapFlags(rights.heap),
      '--disable-warning=ExperimentalWarning',
      '--disable-warning=SecurityWarning',
    ];
    return spawn(executable.node, [...flags, executable.main, verb], {
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
      env: childEnvironment(),
    });
  };
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
