import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Executor, Stalled } from '../reconciler/ports.ts';
import { createInterpreterFinder } from './interpreter.ts';
import { didNotStart, type ProcessDependencies, startFlow } from './process.ts';

const REQUIREMENTS_MAX_BYTES = 1024 * 1024;
/** Files that ask for packages: pip's, and the lock beside it. */
const REQUIREMENTS = ['requirements.txt', 'requirements.lock'];
/** For finding the interpreter again when a run starts. */
const FIND_TIMEOUT_MS = 30_000;

/** `runtime: python`: the entrypoint under the machine's own Python, without an environment of its own. */
export function createPythonExecutor(deps: ProcessDependencies): Executor {
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
      return (await wantsPackages(version.directory)) ?? { kind: 'ready' };
    },
    async start(request, settings) {
      const interpreter = await interpreters.find(settings, AbortSignal.timeout(FIND_TIMEOUT_MS));
      if (interpreter.kind !== 'found')
        return didNotStart(interpreter.message, deps.clock.now(), deps.clock.now());
      const entrypoint = join(request.directory, request.entrypoint);
      const args = request.args ?? request.spec.args;
      return startFlow({ file: interpreter.path, args: [entrypoint, ...args] }, request, settings, deps);
    },
  };
}

/** Stalled when the bundle asks for packages: running it without them would fail later, and less clearly. */
export async function wantsPackages(directory: string): Promise<Stalled | null> {
  for (const name of REQUIREMENTS) {
    const text = await beginning(join(directory, name));
    if (text === null || !/^[^\S\r\n]*[^#\s]/m.test(text)) continue;
    return {
      kind: 'stalled',
      code: 'runtime_unsupported',
      message: `expected a bundle that needs nothing but Python, found ${name} with packages in it: this version of the agent does not build Python environments. Put the packages into the bundle beside the entrypoint`,
    };
  }
  return null;
}

async function beginning(path: string): Promise<string | null> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return null;
  try {
    const buffer = Buffer.alloc(REQUIREMENTS_MAX_BYTES);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
