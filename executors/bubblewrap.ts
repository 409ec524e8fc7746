import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { constants as os } from 'node:os';
import { dirname, join } from 'node:path';
import type { Account } from './account.ts';
import { runHelper } from './system-program.ts';

/** What of the agent's a flow has no business with, and what of it its run needs all the same. All paths absolute. */
export interface SandboxView {
  /** Folders and files that are not to be seen. What is not there is left out. */
  readonly hidden: readonly string[];
  /** Inside of what is hidden, or anywhere: seen, never written to. */
  readonly readable: readonly string[];
  readonly writable: readonly string[];
  /** The person's session, when the flow has windows: its programs can be talked to, those that start others cannot. */
  readonly desktop: boolean;
  /** Of the account that the flow runs as. */
  readonly uid: number;
}

export type SandboxFound =
  | { readonly kind: 'works'; readonly program: string }
  /** `found`: a sentence for people. */
  | { readonly kind: 'unusable'; readonly found: string; readonly advice: string | null };

const PROBE_TIMEOUT_MS = 10_000;
/** The whole file system as it is, but other processes: their memory, their environment, their descriptors. */
const BASE = [
  '--dev-bind',
  '/',
  '/',
  '--proc',
  '/proc',
  '--unshare-pid',
  '--die-with-parent',
  '--new-session',
];
/** What else a run asks of it. */
const TRIED = ['--tmpfs', '/tmp', '--remount-ro', '/tmp', '--ro-bind', '/dev/null', '/etc/passwd'];
/** Where bubblewrap says which process is the first inside. */
export const STATUS_DESCRIPTOR = 4;

/** Whether bubblewrap does on this machine, for that account, what a run asks of it: tried, as a kernel or a container may forbid it. */
export async function tryBubblewrap(program: string, account: Account | null): Promise<SandboxFound> {
  const tried = await runHelper(
    '/bin/sh',
    ['-c', 'exec 2>&1; exec "$@"', 'sh', program, ...BASE, ...TRIED, '--', '/bin/sh', '-c', 'echo $$'],
    {
      timeoutMs: PROBE_TIMEOUT_MS,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
    },
  );
  const said = tried.stdout.trim().split('\n').at(-1) ?? '';
  // The second process of a numbering of its own.
  if (tried.exitCode === 0 && said === '2') return { kind: 'works', program };
  const how = said === '' ? (tried.found ?? `exit code ${tried.exitCode}`) : said;
  return {
    kind: 'unusable',
    found: `${program} is here and does not work: ${how}`,
    advice:
      'let ordinary accounts have user namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0; in a container: its seccomp profile)',
  };
}

export interface SandboxEntry {
  /** Without symbolic links. */
  readonly path: string;
  readonly how: 'hidden' | 'readable' | 'writable';
}

/** What is there of a view, a folder before what is in it: the deeper word counts. */
export function sandboxEntries(view: SandboxView): SandboxEntry[] {
  const asked = [
    ...[...view.hidden, ...sessionOf(view)].map((path) => ({ path, how: 'hidden' as const })),
    // Who may write there leaves the group that holds a run together.
    ...[...view.readable, '/sys/fs/cgroup'].map((path) => ({ path, how: 'readable' as const })),
    ...view.writable.map((path) => ({ path, how: 'writable' as const })),
  ];
  const entries = asked.flatMap(({ path, how }) => {
    const real = realOf(path);
    return real === null ? [] : [{ path: real, how }];
  });
  return spare(entries.sort((a, b) => a.path.length - b.path.length));
}

/**
 * The words that stand before a command so that it runs in the sandbox. Source: bwrap(1). The network, and whatever of the file
 * system is not the agent's, stay as they are.
 */
export function bubblewrapWords(program: string, entries: readonly SandboxEntry[], work: string): string[] {
  const words: string[] = [];
  const emptied: string[] = [];
  for (const { path, how } of entries) {
    if (how === 'writable') words.push('--bind', path, path);
    else if (how === 'readable') words.push('--ro-bind', path, path);
    else if (lstatSync(path).isDirectory()) {
      words.push('--tmpfs', path);
      emptied.push(path);
    } else words.push('--ro-bind', '/dev/null', path);
  }
  // Only now: what is bound into it needed a place there.
  for (const path of emptied) words.push('--remount-ro', path);
  const status = ['--json-status-fd', String(STATUS_DESCRIPTOR)];
  return [program, ...BASE, ...words, ...status, '--chdir', work, '--'];
}

/**
 * The folders above what is hidden or readable that are neither. In the sandbox each must be a mount of its own where the account
 * could rename it: nothing would be found in the old place, and so nothing hidden, by the next run.
 */
export function foldersAbove(entries: readonly SandboxEntry[]): string[] {
  const kept = entries.filter(({ how }) => how !== 'writable').map(({ path }) => path);
  const above = new Set<string>();
  for (const path of kept)
    for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) above.add(folder);
  return [...above].filter((folder) => !kept.some((path) => `${folder}/`.startsWith(`${path}/`)));
}

/** Without what lies in a hidden folder and is hidden too, which is not there any more to be hidden. */
function spare(entries: readonly SandboxEntry[]): SandboxEntry[] {
  const kept: SandboxEntry[] = [];
  for (const entry of entries) {
    if (kept.some(({ path, how }) => path === entry.path && how === entry.how)) continue;
    const around = kept.findLast(({ path }) => entry.path.startsWith(`${path}/`));
    if (entry.how === 'hidden' && around?.how === 'hidden') continue;
    kept.push(entry);
  }
  return kept;
}

/**
 * Of the person's session: whoever reaches its service manager or its message bus can have a program started outside of any sandbox.
 */
function sessionOf({ desktop, uid }: SandboxView): string[] {
  const folder = `/run/user/${uid}`;
  return desktop ? [join(folder, 'bus'), join(folder, 'systemd')] : [folder];
}

/**
 * What to hide so that nothing of a folder is seen: itself, unless `needed` is around or in it by somebody's wish (credentials kept in
 * the person's home); then the files in it one by one. With the files that links in it lead to.
 */
export function hiddenPlaces(folder: string, needed: readonly string[]): string[] {
  const real = realOf(folder);
  if (real === null) return [];
  const holds = needed.some((path) => {
    const other = realOf(path) ?? path;
    return other === real || other.startsWith(`${real}/`);
  });
  const inside = readdirSync(real, { withFileTypes: true });
  // A link leads out of what is hidden; one to a folder may lead to more than the agent's.
  const files = inside
    .filter((entry) => entry.isFile() || (entry.isSymbolicLink() && isFile(join(real, entry.name))))
    .map((entry) => join(real, entry.name));
  return holds ? files : [real, ...files];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function realOf(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** bubblewrap ends with 128 + n where the flow ended by signal n, as shells do. */
export function sandboxExit(code: number | null, signal: NodeJS.Signals | null) {
  const name = Object.entries(os.signals).find(([, number]) => code !== null && code - 128 === number)?.[0];
  return name === undefined ? { code, signal } : { code: null, signal: name as NodeJS.Signals };
}

/** The first process inside, from the first line of bubblewrap's status; null when it is another line. */
export function firstInside(line: string): number | null {
  const found = /"child-pid": *(\d+)/.exec(line)?.[1];
  return found === undefined ? null : Number(found);
}
