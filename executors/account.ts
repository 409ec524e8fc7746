import { dirname } from 'node:path';
import type { RunSettings } from '../reconciler/ports.ts';
import { runHelper } from './system-program.ts';

/** The account flows run as, when it is not the agent's own. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export type AccountChoice =
  /** Null: the agent's own account. */
  | { readonly kind: 'chosen'; readonly account: Account | null }
  | { readonly kind: 'refused'; readonly reason: string };

type AccountSettings = Pick<RunSettings, 'allowRoot' | 'user'>;

const LOOKUP_TIMEOUT_MS = 10_000;
const LOOKUP_MAX_BYTES = 64 * 1024;

/** Why flows may not run as the agent's own account: it is root and nobody said so. Null: they may. `uid`: the agent's. */
export function refusesRoot(settings: AccountSettings, uid = process.getuid?.()): string | null {
  if (uid !== 0 || settings.user !== null || settings.allowRoot) return null;
  return 'flows do not run as root: expected runs.user (an account for flows) or runs.allow_root: true in agent.yaml, found neither';
}

/** Resolves `runs.user` by id(1), which asks whatever directory the machine uses. Supplementary groups are not taken along. */
export async function chooseAccount(
  settings: AccountSettings,
  uid = process.getuid?.(),
): Promise<AccountChoice> {
  const refusal = refusesRoot(settings, uid);
  if (refusal !== null) return { kind: 'refused', reason: refusal };
  if (settings.user === null) return { kind: 'chosen', account: null };
  const name = settings.user;
  if (uid === undefined) {
    return {
      kind: 'refused',
      reason: 'runs.user works on Linux and macOS only: remove it from agent.yaml on this machine',
    };
  }
  const [user, group] = await Promise.all(['-u', '-g'].map((flag) => idOf(flag, name)));
  if (user == null || group == null) {
    return { kind: 'refused', reason: `runs.user: expected an account of this machine, found no "${name}"` };
  }
  if (user === uid && user !== 0) return { kind: 'chosen', account: null };
  if (user === 0 && !settings.allowRoot) {
    return {
      kind: 'refused',
      reason: `runs.user "${name}" is root: name another account, or set runs.allow_root: true`,
    };
  }
  if (uid !== 0) {
    return {
      kind: 'refused',
      reason: `runs.user "${name}" is another account than the agent's, and only an agent that runs as root can change to it`,
    };
  }
  return { kind: 'chosen', account: { name, uid: user, gid: group } };
}

async function idOf(flag: string, name: string): Promise<number | null> {
  const { stdout, exitCode } = await runHelper('id', [flag, '--', name], {
    timeoutMs: LOOKUP_TIMEOUT_MS,
    maxBytes: LOOKUP_MAX_BYTES,
  });
  return exitCode === 0 && /^\d+$/.test(stdout.trim()) ? Number(stdout.trim()) : null;
}

/** The first folder on the way to `path` that the account cannot pass, or the file itself when it cannot be read; else null. */
export async function unreachable(account: Account, path: string): Promise<string | null> {
  const way = [path];
  for (let folder = dirname(path); folder !== way[0]; folder = dirname(folder)) way.unshift(folder);
  const last = way.pop() as string;
  // Asked as that account: modes, access control lists and read-only mounts all have their say.
  const found = await runHelper('/bin/sh', ['-c', REACH, 'sh', last, ...way], {
    uid: account.uid,
    gid: account.gid,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    timeoutMs: LOOKUP_TIMEOUT_MS,
    maxBytes: LOOKUP_MAX_BYTES,
  });
  return found.exitCode === 0 ? null : found.stdout || path;
}

/** `$1` is the file, the rest the folders above it from the root down. */
const REACH = `
file=$1; shift
for folder do [ -x "$folder" ] || { printf %s "$folder"; exit 1; }; done
[ -r "$file" ] || { printf %s "$file"; exit 1; }`;

/** True when the account could put something else in the place of one of these files or folders, or into such a folder. */
export async function changeable(account: Account, paths: readonly string[]): Promise<boolean> {
  const found = await runHelper('/bin/sh', ['-c', WRITABLE, 'sh', ...paths], {
    uid: account.uid,
    gid: account.gid,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    timeoutMs: LOOKUP_TIMEOUT_MS,
    maxBytes: LOOKUP_MAX_BYTES,
  });
  return found.exitCode !== 0;
}

/** `$@` are the paths; whoever owns a folder on the way, or may write to it, can put another in its place. */
const WRITABLE = `
for path do
  while [ -n "$path" ]; do
    [ -O "$path" ] && exit 1
    [ -w "$path" ] && [ ! -k "$path" ] && exit 1
    path=\${path%/*}
  done
done
exit 0`;
