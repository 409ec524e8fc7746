import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Executor, RunSettings, Setback, Stalled } from '../reconciler/ports.ts';
import { type FlowCommand, type ProcessDependencies, startFlow } from './process.ts';
import { createPythonExecutor } from './python.ts';

const WINDOWS_PROGRAMS = ['.exe', '.cmd', '.bat'];

/** `runtime: subprocess`: a `.py` entrypoint under Python, anything else executed as it is (programs, scripts with `#!`). */
export function createSubprocessExecutor(
  deps: ProcessDependencies,
  /** Runs the `.py` ones, with the environment that they need. */
  python: Executor = createPythonExecutor(deps),
): Executor {
  return {
    runtime: 'subprocess',
    // Which kind of program it is, only the bundle tells.
    supports: (_settings: RunSettings, _signal: AbortSignal) =>
      Promise.resolve({ kind: 'supported' as const }),
    async prepare(version, settings, signal): Promise<{ kind: 'ready' } | Setback> {
      if (isPython(version.entrypoint)) return python.prepare(version, settings, signal);
      return (await notExecutable(version.directory, version.entrypoint)) ?? { kind: 'ready' };
    },
    async start(request, settings) {
      if (isPython(request.entrypoint)) return python.start(request, settings);
      const file = join(request.directory, request.entrypoint);
      return startFlow(direct(file, request.args ?? request.spec.args), request, settings, deps);
    },
  };
}

function isPython(entrypoint: string): boolean {
  return extname(entrypoint).toLowerCase() === '.py';
}

/** Null when the entrypoint can be executed as it is. */
async function notExecutable(directory: string, entrypoint: string): Promise<Stalled | null> {
  const stalled = (message: string): Stalled => ({ kind: 'stalled', code: 'entrypoint_missing', message });
  const found = await stat(join(directory, entrypoint)).catch(() => null);
  if (found === null || !found.isFile())
    return stalled(`expected the file ${entrypoint} in the bundle, found none`);
  if (process.platform === 'win32') {
    if (WINDOWS_PROGRAMS.includes(extname(entrypoint).toLowerCase())) return null;
    return stalled(`expected a program (${WINDOWS_PROGRAMS.join(', ')}) or a .py file, found ${entrypoint}`);
  }
  if ((found.mode & 0o111) !== 0) return null;
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
  return stalled(
    `expected ${entrypoint} to be executable, found mode ${mode}: chmod +x it before the bundle is packed`,
  );
}

/** Batch files are read by cmd.exe, and Node starts none by itself. Untested here: needs Windows. */
function direct(file: string, args: readonly string[]): FlowCommand {
  if (process.platform !== 'win32' || extname(file).toLowerCase() === '.exe') return { file, args };
  return { file: process.env['ComSpec'] ?? 'cmd.exe', args: ['/d', '/s', '/c', file, ...args] };
}
