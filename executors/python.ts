import { join } from 'node:path';
import type { Executor, PreparedVersion, RunRequest, RunSettings, Setback } from '../reconciler/ports.ts';
import { createInterpreterFinder } from './interpreter.ts';
import { didNotStart, type ProcessDependencies, startFlow, startOn } from './process.ts';
import type { PythonEnvironment, PythonEnvironments } from './python-environments.ts';
import { readRequirements } from './requirements.ts';

export interface PythonDependencies extends ProcessDependencies {
  /** Without them a bundle that asks for packages stalls. */
  readonly environments?: PythonEnvironments;
}

/** For finding the interpreter and its environment again when a run starts; longer only when the environment is gone. */
const OPEN_TIMEOUT_MS = 16 * 60_000;

/** `runtime: python`: the entrypoint under the machine's own Python, in the environment of the bundle's lock when it has one. */
export function createPythonExecutor(deps: PythonDependencies): Executor {
  const interpreters = createInterpreterFinder(deps.environment);
  return {
    runtime: 'python',
    async supports(settings, signal) {
      const interpreter = await interpreters.find(settings, signal);
      return interpreter.kind === 'found' ? { kind: 'supported' } : interpreter;
    },
    async prepare(version, settings, signal) {
      const interpreter = await interpreters.find(settings, signal);
      if (interpreter.kind !== 'found') return interpreter;
      const { environments } = deps;
      if (environments === undefined)
        return (await needsEnvironments(version.directory)) ?? { kind: 'ready' };
      const built = await environments.build(subjectOf(version), interpreter, settings, signal);
      return built.kind === 'none' || built.kind === 'ready' ? { kind: 'ready' } : built;
    },
    async start(request, settings) {
      const startedAt = deps.clock.now();
      const found = await pythonFor(request, settings, { ...deps, interpreters });
      if (found.kind !== 'found') return didNotStart(found.message, startedAt, deps.clock.now());
      const entrypoint = join(request.directory, request.entrypoint);
      const args = request.args ?? request.spec.args;
      const start = () =>
        startFlow({ file: found.python, args: [entrypoint, ...args] }, request, settings, deps);
      if (found.environment === null || deps.environments === undefined) return start();
      return startOn(deps.environments.hold(found.environment), start);
    },
  };
}

/** The Python that a bundle runs under now, and its environment when it has one. */
async function pythonFor(
  version: RunRequest,
  settings: RunSettings,
  deps: PythonDependencies & { interpreters: ReturnType<typeof createInterpreterFinder> },
): Promise<{ kind: 'found'; python: string; environment: PythonEnvironment | null } | Setback> {
  const signal = startSignal(version);
  const interpreter = await deps.interpreters.find(settings, signal);
  if (interpreter.kind !== 'found') return interpreter;
  const bare = { kind: 'found', python: interpreter.path, environment: null } as const;
  if (deps.environments === undefined) return (await needsEnvironments(version.directory)) ?? bare;
  const opened = await deps.environments.open(subjectOf(version), interpreter, settings, signal);
  if (opened.kind === 'none') return bare;
  return opened.kind === 'ready' ? { kind: 'found', python: opened.python, environment: opened } : opened;
}

/** For what a start does before there is a process: what the request says, and a deadline. */
export function startSignal({ signal }: Pick<RunRequest, 'signal'>): AbortSignal {
  const deadline = AbortSignal.timeout(OPEN_TIMEOUT_MS);
  return signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
}

export function subjectOf({ directory, spec }: PreparedVersion): {
  directory: string;
  flow: string;
  version: string;
} {
  return { directory, flow: spec.id, version: spec.version };
}

async function needsEnvironments(directory: string): Promise<Setback | null> {
  const requirements = await readRequirements(directory);
  if (requirements === null || requirements.kind === 'stalled') return requirements;
  const message = `expected a bundle that needs nothing but Python, found ${requirements.file} with packages in it: environments are not built here`;
  return { kind: 'stalled', code: 'runtime_unsupported', message };
}
