import { open, stat } from 'node:fs/promises';
import { extname, isAbsolute, join } from 'node:path';
import type { Executor, RunSettings, Setback, Stalled } from '../reconciler/ports.ts';
import { batchArguments } from './batch-command.ts';
import type { FlowCommand } from './flow-command.ts';
import { didNotStart, type ProcessDependencies, startFlow } from './process.ts';
import { cannotRun, programFormat } from './program-format.ts';
import { createPythonExecutor } from './python.ts';

/** What Windows runs, and by what, when it is not a program itself. */
const WINDOWS_PROGRAMS = ['.exe', '.cmd', '.bat', '.ps1'];
const FORMAT_HEAD_BYTES = 256;

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
      const args = request.args ?? request.spec.args;
      const command = directCommand(file, args);
      if (command !== null) return startFlow(command, request, settings, deps);
      const now = deps.clock.now();
      return didNotStart('expected args of a batch file without line breaks, found one', now, now);
    },
  };
}

function isPython(entrypoint: string): boolean {
  return extname(entrypoint).toLowerCase() === '.py';
}

/** Null when the entrypoint can be executed as it is. */
async function notExecutable(directory: string, entrypoint: string): Promise<Stalled | null> {
  const path = join(directory, entrypoint);
  const stalled = (code: Stalled['code'], message: string): Stalled => ({ kind: 'stalled', code, message });
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isFile())
    return stalled('entrypoint_missing', `expected the file ${entrypoint} in the bundle, found none`);
  const format = programFormat(await head(path));
  const foreign = cannotRun(format, process.platform, process.arch);
  if (process.platform === 'win32') {
    const known = WINDOWS_PROGRAMS.includes(extname(entrypoint).toLowerCase());
    const wanted = `expected a program (${WINDOWS_PROGRAMS.join(', ')}) or a .py file, found ${entrypoint}`;
    if (!known) return stalled('entrypoint_missing', wanted);
    return foreign === null ? null : stalled('runtime_unsupported', `${entrypoint}: ${foreign}`);
  }
  if (foreign !== null) return stalled('runtime_unsupported', `${entrypoint}: ${foreign}`);
  if ((found.mode & 0o111) === 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
    const message = `expected ${entrypoint} to be executable, found mode ${mode}: chmod +x it before the bundle is packed`;
    return stalled('entrypoint_missing', message);
  }
  if (format.kind !== 'script' || !isAbsolute(format.interpreter)) return null;
  if ((await stat(format.interpreter).catch(() => null)) !== null) return null;
  const message = `${entrypoint}: expected the interpreter ${format.interpreter} of its first line on this machine, found none: install it, or name another`;
  return stalled('interpreter_missing', message);
}

async function head(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return new Uint8Array();
  try {
    const buffer = Buffer.alloc(FORMAT_HEAD_BYTES);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/**
 * The command line of a file that is executed as it is. On Windows batch files are read by cmd.exe, and Node starts none by
 * itself; PowerShell scripts by Windows PowerShell, whose execution policy is for people at a desk. Null: arguments that cmd.exe
 * cannot be given.
 */
export function directCommand(
  file: string,
  args: readonly string[],
  platform: NodeJS.Platform = process.platform,
  shell = process.env['ComSpec'] ?? 'cmd.exe',
): FlowCommand | null {
  if (platform !== 'win32') return { file, args };
  switch (extname(file).toLowerCase()) {
    case '.cmd':
    case '.bat': {
      const words = batchArguments(file, args);
      return words === null ? null : { file: shell, args: words, verbatim: true };
    }
    case '.ps1': {
      const switches = ['-NoLogo', '-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass'];
      return { file: 'powershell.exe', args: [...switches, '-File', file, ...args] };
    }
    default:
      return { file, args };
  }
}
