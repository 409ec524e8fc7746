import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Executor, PreparedVersion, Stalled } from '../reconciler/ports.ts';
import { type AutoHotkey, findAutoHotkeys } from './autohotkey-program.ts';
import {
  autoHotkeyArguments,
  chooseAutoHotkey,
  ON_ERROR_SCRIPT,
  requiredMajor,
} from './autohotkey-script.ts';
import { didNotStart, type ProcessDependencies, startFlow } from './process.ts';

/** Asked at every reconcile: what was found is believed for so long, that nothing was found is not. */
const REMEMBER_MS = 10 * 60_000;
/** `#Requires` stands near the top. */
const SCRIPT_HEAD_BYTES = 64 * 1024;

export interface AutoHotkeyMachine {
  readonly platform: NodeJS.Platform;
  readonly find: () => Promise<readonly AutoHotkey[]>;
}

/** `runtime: ahk`: a script under the AutoHotkey of the machine, on Windows. */
export function createAutoHotkeyExecutor(
  deps: ProcessDependencies,
  machine: AutoHotkeyMachine = {
    platform: process.platform,
    find: () => findAutoHotkeys(deps.environment),
  },
): Executor {
  let known: { readonly found: readonly AutoHotkey[]; readonly until: number } | null = null;
  const find = async () => {
    const now = deps.clock.monotonicMs();
    if (known !== null && now < known.until) return known.found;
    const found = await machine.find();
    known = found.length === 0 ? null : { found, until: now + REMEMBER_MS };
    return found;
  };
  const choose = async (version: Pick<PreparedVersion, 'directory' | 'entrypoint'>) => {
    const required = requiredMajor(await head(join(version.directory, version.entrypoint)));
    const found = await find();
    return chooseAutoHotkey(found, required) ?? missing(required, found);
  };
  return {
    runtime: 'ahk',
    async supports() {
      if (machine.platform !== 'win32') return foreignPlatform(machine.platform);
      return (await find()).length > 0 ? { kind: 'supported' } : missing(null, []);
    },
    async prepare(version) {
      if (machine.platform !== 'win32') return foreignPlatform(machine.platform);
      const chosen = await choose(version);
      return 'path' in chosen ? { kind: 'ready' } : chosen;
    },
    async start(request, settings) {
      const notStarted = (why: string) => didNotStart(why, deps.clock.now(), deps.clock.now());
      if (machine.platform !== 'win32') return notStarted(foreignPlatform(machine.platform).message);
      const chosen = await choose(request);
      if (!('path' in chosen)) return notStarted(chosen.message);
      const onError = join(request.runDirectory, 'on-error.ahk');
      try {
        await mkdir(request.runDirectory, { recursive: true, mode: 0o700 });
        await writeFile(onError, ON_ERROR_SCRIPT);
      } catch (error) {
        return notStarted(`the folder of the run could not be made: ${(error as Error).message}`);
      }
      const script = join(request.directory, request.entrypoint);
      const args = autoHotkeyArguments(chosen, script, request.args ?? request.spec.args, onError);
      return startFlow({ file: chosen.path, args }, request, settings, deps);
    },
  };
}

function foreignPlatform(platform: NodeJS.Platform): Stalled {
  const found = { linux: 'Linux', darwin: 'macOS' }[platform as string] ?? platform;
  const message = `expected Windows for a flow of runtime ahk, found ${found}: AutoHotkey runs nowhere else. Select agents on Windows with the flow's targets, or release it with another runtime`;
  return { kind: 'stalled', code: 'runtime_unsupported', message };
}

function missing(required: 1 | 2 | null, found: readonly AutoHotkey[]): Stalled {
  const wanted =
    required === null ? 'AutoHotkey (version 2, or 1.1 Unicode)' : `AutoHotkey version ${required}`;
  const there = found.length === 0 ? 'none' : `only ${found.map(({ path }) => path).join(', ')}`;
  const message = `expected ${wanted} where its installers put it (Program Files, the registry's InstallDir), found ${there}: install it for all users`;
  return { kind: 'stalled', code: 'interpreter_missing', message };
}

/** UTF-16 scripts, which AutoHotkey tells by their mark, are read as such. */
async function head(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return '';
  try {
    const buffer = Buffer.alloc(SCRIPT_HEAD_BYTES);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    const utf16 = bytesRead >= 2 && buffer[0] === 0xff && buffer[1] === 0xfe;
    const text = buffer.toString(utf16 ? 'utf16le' : 'utf8', 0, bytesRead);
    return text.replace(/^\uFEFF/, '');
  } finally {
    await file.close();
  }
}
