import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunSettings, Setback } from '../reconciler/ports.ts';
import {
  type BuildPlace,
  type Built,
  type BuiltFoldersDependencies,
  createBuiltFolders,
  type RemovedFolder,
} from './built-folders.ts';
import { installerBase, installerEnvironment } from './installer-environment.ts';
import { installerFailure } from './installer-failure.ts';
import { runInstaller } from './installer-process.ts';
import { createInterpreterFinder, type Interpreter } from './interpreter.ts';
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

export interface PythonEnvironments {
  /** The environment of exactly this lock, interpreter and installer: as it is, or built now. `none`: the bundle needs only Python. */
  build(
    subject: EnvironmentSubject,
    interpreter: Interpreter,
    settings: RunSettings,
    signal: AbortSignal,
  ): Promise<PythonEnvironment | { kind: 'none' } | Setback>;
  /** For a run: also one that another version of the installer built; built when there is none. */
  open: PythonEnvironments['build'];
  /** A flow runs in it until the function it gives is called. */
  hold(environment: PythonEnvironment): () => void;
  /** Removes what an earlier life left half-built. Before anything else, under the state directory's lock. */
  recover(): Promise<number>;
  /**
   * Removes the environments that no bundle of `directories` needs and nobody used for a day (for 30 days when the interpreter
   * alone is another). With `dryRun` only says which.
   * Bundles whose requirements cannot be read keep nothing.
   */
  collect(
    directories: readonly string[],
    settings: RunSettings,
    options: { dryRun: boolean; signal: AbortSignal },
  ): Promise<RemovedFolder[]>;
}

const BUILD_TIMEOUT_MS = 15 * 60_000;
const VENV_TIMEOUT_MS = 2 * 60_000;

/**
 * Python environments, one a lock file, shared by all versions and flows that have it (decision 0064). Wheels only, and as the
 * agent's account: nothing that a package brings along runs before a flow does.
 */
export function createPythonEnvironments(deps: BuiltFoldersDependencies): PythonEnvironments {
  const base = installerBase(deps.environment);
  const interpreters = createInterpreterFinder(deps.environment);
  const identities = createPythonIdentities(base);
  const installers = createInstallerFinder(base);
  // 16 digits of what it is for, 8 of what installed it.
  const folders = createBuiltFolders(deps, {
    kind: 'Python environment',
    pattern: /^[0-9a-f]{16}-[0-9a-f]{8}$/,
  });

  const build = async (wanted: Wanted, place: BuildPlace): Promise<Built | Setback> => {
    const { requirements, python, installer, settings, signal } = wanted;
    const env = installerEnvironment(deps.environment, settings, place.temporary);
    const options = { env, cwd: place.temporary, mark: place.mark, signal };
    const made = await runInstaller(python.path, ['-I', '-m', 'venv', '--without-pip', place.folder], {
      ...options,
      timeoutMs: VENV_TIMEOUT_MS,
    });
    if (made.exitCode !== 0) return installerFailure(`${python.path} -m venv`, made);
    // As read and checked here, so that nothing depends on how the installer would have read the file.
    const file = join(place.temporary, 'requirements.txt');
    await writeFile(file, `${requirements.packages.map((found) => found.line).join('\n')}\n`);
    const { wheelHouse } = requirements;
    const command = installer.command({ python: pythonIn(place.folder), requirements: file, wheelHouse });
    const done = await runInstaller(command.file, command.args, { ...options, timeoutMs: BUILD_TIMEOUT_MS });
    if (done.exitCode !== 0) return installerFailure(`${installer.name} ${installer.version}`, done);
    // By the machine's own Python: the environment's would run what packages want run at its start (.pth). A file that does
    // not compile is its flow's business.
    await runInstaller(python.path, ['-I', '-m', 'compileall', '-q', libraryIn(place.folder)], {
      ...options,
      timeoutMs: BUILD_TIMEOUT_MS,
    });
    const contents = `${requirements.packages.length} packages, Python ${python.version}, ${installer.name} ${installer.version}`;
    return { kind: 'built', contents, neededBy: requirements.sha256 };
  };

  const asked =
    (reuse: boolean): PythonEnvironments['build'] =>
    async (subject, interpreter, settings, signal) => {
      const requirements = await readRequirements(subject.directory);
      if (requirements === null) return { kind: 'none' };
      if (requirements.kind !== 'locked') return requirements;
      const python = await identities.ask(interpreter, settings, signal);
      if (python.kind !== 'known') return python;
      const purpose = purposeOf(requirements, python);
      const found = reuse ? await folders.find(purpose) : null;
      if (found !== null) return ready(found, requirements);
      const installer = await installers.find(python, settings, signal);
      if (installer.kind !== 'found') return installer;
      const wanted = { requirements, python, installer, settings, signal };
      const obtained = await folders.obtain(
        `${purpose}-${installerDigest(installer)}`,
        (place) => build(wanted, place),
        {
          flow: subject.flow,
          version: subject.version,
          because: `${requirements.file} of ${subject.version}`,
        },
        signal,
      );
      return obtained.kind === 'ready' ? ready(obtained.folder, requirements) : obtained;
    };

  return {
    build: asked(false),
    open: asked(true),
    hold: ({ folder }) => folders.hold(folder),
    recover: () => folders.recover(),

    async collect(directories, settings, options) {
      const interpreter = await interpreters.find(settings, options.signal);
      if (interpreter.kind !== 'found') return [];
      const python = await identities.ask(interpreter, settings, options.signal);
      if (python.kind !== 'known') return [];
      const installer = await installers.find(python, settings, options.signal);
      const names = new Set<string>();
      const neededBy = new Set<string>();
      for (const directory of directories) {
        const requirements = await readRequirements(directory);
        if (requirements?.kind !== 'locked') continue;
        neededBy.add(requirements.sha256);
        const found = await folders.names(purposeOf(requirements, python));
        const exact =
          installer.kind === 'found' ? found.filter((name) => name.endsWith(installerDigest(installer))) : [];
        for (const name of exact.length > 0 ? exact : found) names.add(name);
      }
      return folders.collect({ names, neededBy }, options);
    },
  };
}

interface Wanted {
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

function libraryIn(folder: string): string {
  return join(folder, process.platform === 'win32' ? 'Lib' : 'lib');
}

/** What an environment is for: these bytes of a lock, this Python, with or without a wheel-house. */
function purposeOf(requirements: Requirements, python: PythonIdentity): string {
  const { sha256, wheelHouse } = requirements;
  return digest([1, sha256, wheelHouse !== null, python.path, python.version, python.build]).slice(0, 16);
}

function installerDigest({ name, version }: PackageInstaller): string {
  return digest([name, version]).slice(0, 8);
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
