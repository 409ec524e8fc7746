import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, EventSink, RunSettings, Setback } from '../reconciler/ports.ts';
import { isDiskFull } from '../system/disk-full-error.ts';
import { completeFolder, isIntact, noteUse, readMark, removeFolder } from './environment-folder.ts';
import { lockFile } from './file-lock.ts';
import { installerBase, installerEnvironment } from './installer-environment.ts';
import { installerFailure } from './installer-failure.ts';
import { endLeftInstaller, runInstaller } from './installer-process.ts';
import type { Interpreter } from './interpreter.ts';
import { createInstallerFinder, type PackageInstaller } from './package-installer.ts';
import { createPythonIdentities, type PythonIdentity } from './python-identity.ts';
import { type Requirements, readRequirements } from './requirements.ts';

/** A bundle and whose it is, for events. */
export interface EnvironmentSubject {
  /** Absolute folder of the version. */
  readonly directory: string;
  readonly flow: string;
  readonly version: string;
}

export interface PythonEnvironment {
  readonly kind: 'ready';
  /** Absolute. */
  readonly folder: string;
  /** The interpreter in it. */
  readonly python: string;
  readonly requirements: Requirements;
}

/** The bundle needs nothing but Python. */
export type NoEnvironment = { readonly kind: 'none' };

export interface PythonEnvironments {
  /** The environment of exactly this lock, interpreter and installer: as it is, or built now. */
  build(
    subject: EnvironmentSubject,
    interpreter: Interpreter,
    settings: RunSettings,
    signal: AbortSignal,
  ): Promise<PythonEnvironment | NoEnvironment | Setback>;
  /** For a run: also one that another version of the installer built; built when there is none. */
  open: PythonEnvironments['build'];
  /** Removes what an earlier life left half-built. Before anything else, under the state directory's lock. */
  recover(): Promise<number>;
  /**
   * Removes the environments that no bundle of `directories` needs and nobody used for a day. With `dryRun` only says which.
   * Bundles whose requirements cannot be read keep nothing.
   */
  collect(
    directories: readonly string[],
    interpreter: Interpreter,
    settings: RunSettings,
    options: { dryRun: boolean; signal: AbortSignal },
  ): Promise<{ name: string; bytes: number }[]>;
}

export interface EnvironmentDependencies {
  /** `<state>/envs`. */
  readonly folder: string;
  readonly clock: Clock;
  /** The agent's own environment. */
  readonly environment: NodeJS.ProcessEnv;
  readonly events: EventSink | null;
}

const BUILD_TIMEOUT_MS = 15 * 60_000;
const VENV_TIMEOUT_MS = 2 * 60_000;
const UNUSED_MS = 86_400_000;
/** Since the last time its use was noted. */
const NOTE_USE_MS = 3_600_000;
/** 16 digits of what it is for, 8 of what installed it. */
const NAME = /^[0-9a-f]{16}-[0-9a-f]{8}$/;

/**
 * Python environments, one a lock file, shared by all versions and flows that have it: built in place (a virtual environment
 * cannot be moved) under a lock, `.complete` last, immutable afterwards. Wheels only, as the agent's account: nothing that a
 * package brings along runs before a flow does. Decision 0064.
 */
export function createPythonEnvironments(deps: EnvironmentDependencies): PythonEnvironments {
  const { folder, clock } = deps;
  const base = installerBase(deps.environment);
  const identities = createPythonIdentities(base);
  const installers = createInstallerFinder(base);

  const build = async (
    subject: EnvironmentSubject,
    wanted: { requirements: Requirements; python: PythonIdentity },
    settings: RunSettings,
    signal: AbortSignal,
  ): Promise<PythonEnvironment | Setback> => {
    const { requirements, python } = wanted;
    const installer = await installers.find(python, settings, signal);
    if (installer.kind !== 'found') return installer;
    const name = `${purpose(requirements, python)}-${installerDigest(installer)}`;
    const place = join(folder, name);
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const release = await lockFile(join(folder, `${name}.lock`), { wait: true, signal });
    try {
      const mark = await readMark(place);
      if (mark !== null && (await isIntact(place, mark))) return ready(place, requirements);
      if (mark !== null) {
        const message = `the Python environment ${name} is not as it was built: it is built again`;
        const at = { flow: subject.flow, version: subject.version };
        deps.events?.emit({ severity: 'warning', reason: 'DriftDetected', message, ...at });
      }
      return await buildIn(place, name, { subject, requirements, python, installer, settings, signal });
    } catch (error) {
      signal.throwIfAborted();
      if (!isDiskFull(error)) throw error;
      await removeFolder(place);
      return {
        kind: 'retry',
        code: 'disk_full',
        message: `${place}: expected room for an environment, found none`,
      };
    } finally {
      release?.();
    }
  };

  const buildIn = async (
    place: string,
    name: string,
    job: BuildJob,
  ): Promise<PythonEnvironment | Setback> => {
    const { requirements, python, installer, settings, signal } = job;
    const mark = installerMark(name);
    const temporary = `${place}.tmp`;
    const started = clock.monotonicMs();
    const clear = () => Promise.all([removeFolder(place), rm(temporary, { recursive: true, force: true })]);
    if (await exists(temporary)) {
      // Of an earlier life: its installer may still be at work in the same folder.
      await endLeftInstaller(mark);
    }
    await clear();
    await mkdir(temporary, { mode: 0o700 });
    let built = false;
    try {
      const env = installerEnvironment(deps.environment, settings, temporary);
      const options = { env, cwd: temporary, mark, signal };
      const made = await runInstaller(python.path, ['-I', '-m', 'venv', '--without-pip', place], {
        ...options,
        timeoutMs: VENV_TIMEOUT_MS,
      });
      if (made.exitCode !== 0) return installerFailure(`${python.path} -m venv`, made);
      // As read and checked here, so that nothing depends on how the installer would have read the file.
      const file = join(temporary, 'requirements.txt');
      await writeFile(file, `${requirements.packages.map((found) => found.line).join('\n')}\n`);
      const { wheelHouse } = requirements;
      const command = installer.command({ python: pythonIn(place), requirements: file, wheelHouse });
      const done = await runInstaller(command.file, command.args, {
        ...options,
        timeoutMs: BUILD_TIMEOUT_MS,
      });
      if (done.exitCode !== 0) return installerFailure(`${installer.name} ${installer.version}`, done);
      // By the machine's own Python: the environment's would run what packages bring along to be run at its start (.pth).
      await runInstaller(python.path, ['-I', '-m', 'compileall', '-q', join(place, 'lib')], {
        ...options,
        timeoutMs: BUILD_TIMEOUT_MS,
      });
      const contents = `${requirements.packages.length} packages, Python ${python.version}, ${installer.name} ${installer.version}`;
      const { bytes } = await completeFolder(place, { name, contents, built_at: clock.now().toISOString() });
      built = true;
      const seconds = ((clock.monotonicMs() - started) / 1_000).toFixed(1);
      deps.events?.emit({
        severity: 'info',
        reason: 'EnvironmentBuilt',
        message: `the Python environment ${name} is built in ${seconds} s: ${contents}, ${bytes} bytes`,
        because: `${requirements.file} of ${job.subject.version}`,
        flow: job.subject.flow,
        version: job.subject.version,
      });
      return ready(place, requirements);
    } finally {
      if (!built) await clear();
      else await rm(temporary, { recursive: true, force: true });
    }
  };

  const opened = async (
    requirements: Requirements,
    python: PythonIdentity,
  ): Promise<PythonEnvironment | null> => {
    for (const name of await named(folder, purpose(requirements, python))) {
      const place = join(folder, name);
      const mark = await readMark(place);
      if (mark === null || !(await isIntact(place, mark))) continue;
      await noteUseSometimes(place);
      return ready(place, requirements);
    }
    return null;
  };

  const noteUseSometimes = async (place: string): Promise<void> => {
    const now = clock.now();
    const used = await stat(join(place, '.complete')).catch(() => null);
    if (used !== null && now.getTime() - used.mtimeMs > NOTE_USE_MS) await noteUse(place, now);
  };

  const asked =
    (reuse: boolean): PythonEnvironments['build'] =>
    async (subject, interpreter, settings, signal) => {
      const requirements = await readRequirements(subject.directory);
      if (requirements === null) return { kind: 'none' };
      if (requirements.kind !== 'locked') return requirements;
      const python = await identities.ask(interpreter, settings, signal);
      if (python.kind !== 'known') return python;
      const found = reuse ? await opened(requirements, python) : null;
      return found ?? (await build(subject, { requirements, python }, settings, signal));
    };

  const needed = async (
    directories: readonly string[],
    python: PythonIdentity,
    settings: RunSettings,
    signal: AbortSignal,
  ): Promise<Set<string>> => {
    const installer = await installers.find(python, settings, signal);
    const names = new Set<string>();
    for (const directory of directories) {
      const requirements = await readRequirements(directory);
      if (requirements?.kind !== 'locked') continue;
      const found = await named(folder, purpose(requirements, python));
      const exact =
        installer.kind === 'found' ? found.filter((name) => name.endsWith(installerDigest(installer))) : [];
      for (const name of exact.length > 0 ? exact : found) names.add(name);
    }
    return names;
  };

  return {
    build: asked(false),
    open: asked(true),

    async recover() {
      let removed = 0;
      for (const name of await readdir(folder).catch(() => [])) {
        const place = join(folder, name);
        // Only when nobody can hold one: a lock file that is removed while it is waited for would be two.
        if (/^[0-9a-f]{16}-[0-9a-f]{8}\.lock$/.test(name)) await rm(place, { force: true });
        if (/^[0-9a-f]{16}-[0-9a-f]{8}\.tmp$/.test(name)) await rm(place, { recursive: true, force: true });
        if (!NAME.test(name) || (await readMark(place)) !== null) continue;
        await endLeftInstaller(installerMark(name));
        await removeFolder(place);
        removed += 1;
      }
      return removed;
    },

    async collect(directories, interpreter, settings, { dryRun, signal }) {
      const python = await identities.ask(interpreter, settings, signal);
      if (python.kind !== 'known') return [];
      const keep = await needed(directories, python, settings, signal);
      const removed: { name: string; bytes: number }[] = [];
      for (const name of await readdir(folder).catch(() => [])) {
        if (!NAME.test(name) || keep.has(name)) continue;
        const place = join(folder, name);
        const used = await stat(join(place, '.complete')).catch(() => null);
        if (used === null || clock.now().getTime() - used.mtimeMs < UNUSED_MS) continue;
        const bytes = (await readMark(place))?.bytes ?? 0;
        if (!dryRun) {
          const release = await lockFile(join(folder, `${name}.lock`), { wait: false, signal });
          if (release === null) continue;
          try {
            await removeFolder(place);
          } finally {
            release();
          }
          const message = `the Python environment ${name} (${bytes} bytes) is removed`;
          const because = 'no version that is kept needs it, and it was not used for a day';
          deps.events?.emit({ severity: 'info', reason: 'EnvironmentPruned', message, because });
        }
        removed.push({ name, bytes });
      }
      return removed;
    },
  };
}

interface BuildJob {
  readonly subject: EnvironmentSubject;
  readonly requirements: Requirements;
  readonly python: PythonIdentity;
  readonly installer: PackageInstaller;
  readonly settings: RunSettings;
  readonly signal: AbortSignal;
}

function ready(folder: string, requirements: Requirements): PythonEnvironment {
  return { kind: 'ready', folder, python: pythonIn(folder), requirements };
}

function pythonIn(folder: string): string {
  return process.platform === 'win32' ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python');
}

/** What an environment is for: these bytes of a lock, this Python, with or without a wheel-house. */
function purpose(requirements: Requirements, python: PythonIdentity): string {
  const { sha256, wheelHouse } = requirements;
  return digest([1, sha256, wheelHouse !== null, python.path, python.version, python.build]).slice(0, 16);
}

function installerDigest(installer: Pick<PackageInstaller, 'name' | 'version'>): string {
  return digest([installer.name, installer.version]).slice(0, 8);
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Names of environments for one purpose, whatever built them. */
async function named(folder: string, prefix: string): Promise<string[]> {
  const found = await readdir(folder).catch(() => []);
  return found.filter((name) => NAME.test(name) && name.startsWith(prefix)).sort();
}

function installerMark(name: string): string {
  return `environment-${name}`;
}
