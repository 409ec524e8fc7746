import { readdir, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { RunSettings, Stalled } from '../reconciler/ports.ts';
import { type Account, chooseAccount } from './account.ts';
import { runHelper } from './system-program.ts';

/** A Python that runs here. */
export interface Interpreter {
  readonly kind: 'found';
  /** Absolute: what the program itself says it is, so that launchers that look at the folder or at HOME are left out. */
  readonly path: string;
  readonly version: string;
}

type InterpreterSettings = Pick<RunSettings, 'user' | 'allowRoot'> & {
  readonly python: Pick<RunSettings['python'], 'interpreter' | 'minVersion'>;
};

export interface InterpreterFinder {
  /** Stalled (`interpreter_missing`) names what was looked for and what was found instead. */
  find(settings: InterpreterSettings, signal: AbortSignal): Promise<Interpreter | Stalled>;
}

const PROBE_TIMEOUT_MS = 10_000;
const PROBE_MAX_BYTES = 64 * 1024;
const CANDIDATES_MAX = 24;
/** Any Python since 2.6 understands it: one that is too old is to be named as such. */
const PROBE = 'import sys; sys.stdout.write("%d.%d.%d\\n%s" % (sys.version_info[:3] + (sys.executable,)))';

type Candidate = readonly [file: string, ...args: string[]];

/**
 * Finds a Python of at least `min_version`: the one that is named, or with `auto` the first on `PATH` among python3, python
 * and python3.N (newest first); on Windows `py -3` before `python`. Asked as the account that flows run as. A find is
 * remembered as long as its file is unchanged.
 */
export function createInterpreterFinder(machine: NodeJS.ProcessEnv): InterpreterFinder {
  const remembered = new Map<string, { found: Interpreter; mark: string }>();

  return {
    async find(settings, signal) {
      const { interpreter, minVersion } = settings.python;
      const key = JSON.stringify([interpreter, minVersion, settings.user, machine['PATH']]);
      const known = remembered.get(key);
      if (known !== undefined && known.mark === (await fileMark(known.found.path))) return known.found;

      const choice = await chooseAccount(settings);
      // Whether flows may run at all is asked elsewhere; the interpreter is looked for all the same.
      const account = choice.kind === 'chosen' ? choice.account : null;
      const candidates = interpreter === 'auto' ? await onPath(machine) : [[interpreter] as const];
      const seen: string[] = [];
      for (const candidate of candidates) {
        const found = await probe(candidate, machine, account, signal);
        signal.throwIfAborted();
        if (found.kind === 'found' && atLeast(found.version, minVersion)) {
          remembered.set(key, { found, mark: await fileMark(found.path) });
          return found;
        }
        seen.push(
          found.kind === 'found'
            ? `${candidate.join(' ')} is ${found.version}`
            : `${candidate.join(' ')} ${found.why}`,
        );
      }
      const wanted = interpreter === 'auto' ? 'python3 or python on PATH' : interpreter;
      const what = seen.length === 0 ? 'found none' : `found: ${seen.join('; ')}`;
      return {
        kind: 'stalled',
        code: 'interpreter_missing',
        message: `expected Python ${minVersion} or later (${wanted}), ${what}. Install it, or name one in executors.python.interpreter`,
      };
    },
  };
}

async function onPath(machine: NodeJS.ProcessEnv): Promise<Candidate[]> {
  if (process.platform === 'win32') return [['py', '-3'], ['python'], ['python3']];
  const folders = (machine['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  const found: { path: string; rank: number }[] = [];
  for (const folder of new Set(folders)) {
    for (const name of await readdir(folder).catch(() => [])) {
      const minor = /^python3\.(\d{1,3})$/.exec(name)?.[1];
      const rank =
        name === 'python3' ? 2_000 : name === 'python' ? 1_000 : minor === undefined ? null : Number(minor);
      if (rank !== null) found.push({ path: join(folder, name), rank });
    }
  }
  // Stable: among equals the order of PATH stays.
  return found
    .sort((a, b) => b.rank - a.rank)
    .slice(0, CANDIDATES_MAX)
    .map(({ path }) => [path]);
}

async function probe(
  [file, ...args]: Candidate,
  machine: NodeJS.ProcessEnv,
  account: Account | null,
  signal: AbortSignal,
): Promise<Interpreter | { kind: 'unusable'; why: string }> {
  const names = ['PATH', 'SystemRoot', 'PATHEXT', 'HOME', 'USERPROFILE', 'LOCALAPPDATA'];
  const result = await runHelper(file, [...args, '-c', PROBE], {
    // Not where a project's own choice of version might lie.
    cwd: process.platform === 'win32' ? undefined : '/',
    env: Object.fromEntries(
      names.flatMap((name) => (machine[name] === undefined ? [] : [[name, machine[name]]])),
    ),
    timeoutMs: PROBE_TIMEOUT_MS,
    maxBytes: PROBE_MAX_BYTES,
    signal,
    ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
  });
  const answer = /^(\d+\.\d+\.\d+)\r?\n(.+)$/s.exec(result.stdout);
  if (answer !== null && result.exitCode === 0) {
    return { kind: 'found', version: answer[1] as string, path: answer[2] as string };
  }
  if (result.found === 'ENOENT') return { kind: 'unusable', why: 'does not exist' };
  if (result.timedOut)
    return { kind: 'unusable', why: `did not answer within ${PROBE_TIMEOUT_MS / 1_000} s` };
  if (result.exitCode === null) return { kind: 'unusable', why: `cannot be started (${result.found})` };
  return { kind: 'unusable', why: `is no Python that runs (exit code ${result.exitCode})` };
}

function atLeast(version: string, minimum: string): boolean {
  const wanted = minimum.split('.').map(Number);
  const found = version.split('.').map(Number);
  for (const [index, part] of wanted.entries()) {
    const difference = (found[index] ?? 0) - part;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

async function fileMark(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  return found === null ? 'missing' : `${found.ino}:${found.size}:${found.mtimeMs}`;
}
