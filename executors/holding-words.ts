import type { Account } from './account.ts';
import { limitWords, type RunLimits } from './run-limits.ts';
import { systemProgram } from './system-program.ts';

/** How a run is held, as far as it was possible on this machine. */
export interface Holds {
  /** The words of its sandbox; null when there is none. */
  readonly sandbox: readonly string[] | null;
  readonly limits: RunLimits;
  /** Its group counts processes and memory. */
  readonly bounded: boolean;
  readonly account: Account | null;
}

/**
 * What stands before the command of a flow so that it is held, the outermost first: the sandbox, the promise of the kernel that no
 * program gives it more rights than it has (`no_new_privs`, prctl(2): sudo and setuid programs do nothing for it), and limits.
 * Nothing of it for root, who was let run flows to be root. Missing programs are left out: `isolationReport` says so.
 */
export async function holdingWords(holds: Holds, machine: NodeJS.ProcessEnv): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  const { sandbox, limits, bounded, account } = holds;
  const root = (account?.uid ?? process.getuid?.()) === 0;
  const [setpriv, prlimit] = await Promise.all([
    // bubblewrap has made that promise already
    root || sandbox !== null ? null : systemProgram('setpriv', machine),
    systemProgram('prlimit', machine),
  ]);
  const counts = sandbox !== null || account !== null ? 'run' : 'account';
  return [
    ...(sandbox ?? []),
    ...(setpriv === null ? [] : [setpriv, '--no-new-privs', '--']),
    ...(prlimit === null ? [] : limitWords(prlimit, limits, { counts, bounded })),
  ];
}
