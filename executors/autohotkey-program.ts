import { readdir, stat } from 'node:fs/promises';
import { win32 } from 'node:path';
import { runHelper } from './system-program.ts';

/** An AutoHotkey of this machine. Version 1 means 1.1 Unicode. */
export interface AutoHotkey {
  readonly major: 1 | 2;
  /** Absolute path of the interpreter itself, not of the launcher (`UX`), which may ask a person. */
  readonly path: string;
}

/** By their names: version 2 has no `U` or `A` (Unicode, ANSI) in front of the bits. ANSI builds cannot speak UTF-8. */
const PROGRAMS = [
  { name: 'AutoHotkey64.exe', major: 2 },
  { name: 'AutoHotkey32.exe', major: 2 },
  { name: 'AutoHotkeyU64.exe', major: 1 },
  { name: 'AutoHotkeyU32.exe', major: 1 },
] as const;

/** Where installers of either version note their folder. */
const REGISTRY_KEYS = [
  'HKCU\\Software\\AutoHotkey',
  'HKLM\\SOFTWARE\\AutoHotkey',
  'HKLM\\SOFTWARE\\WOW6432Node\\AutoHotkey',
];
const REGISTRY_TIMEOUT_MS = 10_000;
const FOLDERS_MAX = 32;

/** Every AutoHotkey found where installers put it, the preferred first (64 bits, then the newest folder). */
export async function findAutoHotkeys(machine: NodeJS.ProcessEnv): Promise<AutoHotkey[]> {
  const registered = await Promise.all(REGISTRY_KEYS.map(registeredFolder));
  const found: AutoHotkey[] = [];
  for (const folder of installFolders(registered, machine)) {
    const names = await readdir(folder).catch(() => []);
    for (const path of programPaths(folder, names)) {
      if ((await stat(path.path).catch(() => null))?.isFile() === true) found.push(path);
    }
  }
  return found;
}

/** Folders to look in: as registered, then the installers' own choices. */
export function installFolders(registered: readonly (string | null)[], machine: NodeJS.ProcessEnv): string[] {
  const below = (variable: string, ...parts: string[]) => {
    const base = machine[variable];
    return base === undefined || base === '' ? null : win32.join(base, ...parts);
  };
  const folders = [
    ...registered,
    below('ProgramFiles', 'AutoHotkey'),
    below('ProgramW6432', 'AutoHotkey'),
    below('ProgramFiles(x86)', 'AutoHotkey'),
    below('LOCALAPPDATA', 'Programs', 'AutoHotkey'),
  ].filter((folder) => folder !== null);
  return [...new Set(folders.map((folder) => win32.normalize(folder).replace(/\\$/, '')))];
}

/**
 * Paths that may hold an interpreter, of an installation's folder and the names in it: version 2's installer keeps each
 * version in a folder of its own (`v2`, `v2.0.18`, `v1.1.37.02`), version 1's and the zips have the programs in the folder.
 */
export function programPaths(folder: string, names: readonly string[]): AutoHotkey[] {
  const numbers = new Intl.Collator('en', { numeric: true });
  const versions = names
    .filter((name) => /^v[12](\.\d+)*$/i.test(name))
    .toSorted((a, b) => numbers.compare(b, a))
    .slice(0, FOLDERS_MAX);
  return [...versions, ''].flatMap((version) =>
    PROGRAMS.map(({ name, major }) => ({ major, path: win32.join(folder, version, name) })),
  );
}

async function registeredFolder(key: string): Promise<string | null> {
  const { stdout, exitCode } = await runHelper('reg.exe', ['query', key, '/v', 'InstallDir'], {
    timeoutMs: REGISTRY_TIMEOUT_MS,
  });
  return exitCode === 0 ? registryValue(stdout) : null;
}

/** Of what `reg query … /v InstallDir` prints. */
export function registryValue(printed: string): string | null {
  const found = /^\s*InstallDir\s+REG_(?:EXPAND_)?SZ\s+(.*\S)\s*$/m.exec(printed);
  return found?.[1] ?? null;
}
