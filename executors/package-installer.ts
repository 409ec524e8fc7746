import { access, constants, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import type { RunSettings, Stalled } from '../reconciler/ports.ts';
import { changeable, chooseAccount } from './account.ts';
import type { PythonIdentity } from './python-identity.ts';
import { runHelper } from './system-program.ts';

/** What puts packages into an environment. */
export interface PackageInstaller {
  readonly kind: 'found';
  readonly name: 'uv' | 'pip';
  readonly version: string;
  /** The program and its arguments for installing a requirements file with hashes, wheels only, into an environment. */
  command(job: InstallJob): { file: string; args: string[] };
}

export interface InstallJob {
  /** The environment's Python. */
  readonly python: string;
  readonly requirements: string;
  readonly wheelHouse: string | null;
}

const PROBE_TIMEOUT_MS = 30_000;

/**
 * Finds the installer that `executors.python.installer` asks for: uv on `PATH`, or the interpreter's pip; `auto` takes uv when
 * it is there. Stalled (`interpreter_missing`) says what to install.
 */
export function createInstallerFinder(environment: Readonly<Record<string, string>>): {
  find(
    python: PythonIdentity,
    settings: RunSettings,
    signal: AbortSignal,
  ): Promise<PackageInstaller | Stalled>;
} {
  const versions = new Map<string, string>();
  const uvVersion = async (path: string, signal: AbortSignal) => {
    const { ino, mtimeMs } = await stat(path);
    const key = JSON.stringify([path, ino, mtimeMs]);
    const known = versions.get(key);
    if (known !== undefined) return known;
    const asked = await runHelper(path, ['--version'], {
      env: environment,
      timeoutMs: PROBE_TIMEOUT_MS,
      signal,
    });
    signal.throwIfAborted();
    const version = /^uv (\d+\.\d+\.\S{1,32})/.exec(asked.stdout)?.[1];
    if (version !== undefined) versions.set(key, version);
    return version ?? null;
  };

  return {
    async find(python, settings, signal) {
      const { installer } = settings.python;
      if (installer !== 'pip') {
        const path = await onPath('uv', environment['PATH'] ?? '', settings);
        const version = path === null ? null : await uvVersion(path, signal);
        if (path !== null && version !== null) return uv(path, version);
        if (installer === 'uv')
          return missing(settings, 'uv on PATH', 'found none that runs. Install it, or set pip or auto');
      }
      if (python.pip !== null) return pip(python.path, python.pip);
      return missing(
        settings,
        `uv on PATH or a pip of ${python.path}`,
        'found neither. Install uv, or Python’s pip (on Debian: python3-pip or python3-venv)',
      );
    },
  };
}

function missing(settings: RunSettings, expected: string, found: string): Stalled {
  const key = `executors.python.installer: ${settings.python.installer}`;
  return { kind: 'stalled', code: 'interpreter_missing', message: `${key}: expected ${expected}, ${found}` };
}

/** Of uv. A cache would be one more thing to keep honest and to clean; links into it would be no environment of its own. */
const UV_INSTALL =
  'pip install --no-python-downloads --no-cache --link-mode copy --no-compile-bytecode --require-hashes --only-binary :all: --keyring-provider disabled --no-progress --color never';

function uv(file: string, version: string): PackageInstaller {
  return {
    kind: 'found',
    name: 'uv',
    version,
    command: ({ python, requirements, wheelHouse }) => {
      const what = [...fromWheelHouse(wheelHouse), '-r', requirements];
      return { file, args: [...UV_INSTALL.split(' '), '--python', python, ...what] };
    },
  };
}

const PIP_INSTALL =
  'install --no-input --disable-pip-version-check --no-cache-dir --no-compile --require-hashes --only-binary :all: --progress-bar off --no-warn-script-location';

function pip(interpreter: string, { version, run }: NonNullable<PythonIdentity['pip']>): PackageInstaller {
  return {
    kind: 'found',
    name: 'pip',
    version,
    command: ({ python, requirements, wheelHouse }) => {
      const what = [...fromWheelHouse(wheelHouse), '-r', requirements];
      return { file: interpreter, args: [...run, '--python', python, ...PIP_INSTALL.split(' '), ...what] };
    },
  };
}

function fromWheelHouse(folder: string | null): string[] {
  return folder === null ? [] : ['--no-index', '--find-links', folder];
}

/** The first of that name on PATH which the flows' account could not have put there. */
async function onPath(name: string, path: string, settings: RunSettings): Promise<string | null> {
  const choice = await chooseAccount(settings);
  const account = choice.kind === 'chosen' ? choice.account : null;
  const file = process.platform === 'win32' ? `${name}.exe` : name;
  for (const folder of path.split(delimiter).filter(isAbsolute)) {
    const candidate = join(folder, file);
    const executable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable && (account === null || !(await changeable(account, [candidate])))) return candidate;
  }
  return null;
}
