import type { FlowCommand } from './flow-command.ts';

/** A command line with the environment that all of it sees. */
export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Waits at descriptor 3 until the agent has put it into its group, then becomes the flow. A process that is moved after it
 * began could have started others before; and when the agent dies in between, nothing starts at all. It leaves no core dump, and is the
 * kernel's choice before the agent when memory runs out (proc_pid_oom_score_adj(5)). Descriptors that whoever started the agent left open end here, as far as a shell can name them.
 */
const GATE =
  'read -r EDGE_GATE <&3 && unset EDGE_GATE PWD OLDPWD SHLVL && { ulimit -c 0; echo 250 > /proc/self/oom_score_adj; } 2>/dev/null; exec "$@" 3<&- 5<&- 6<&- 7<&- 8<&- 9<&-';

/**
 * What the programs before the flow must not hear from it: their loader, their libc and their shell would do what it says, outside
 * of the sandbox and before any limit. Sources: ld.so(8), bash(1), glibc's list of what setuid programs ignore (`unsecvars.h`).
 */
const HEARD =
  /^(?:LD_|DYLD_|BASH|GLIBC_TUNABLES$|GCONV_PATH$|LOCPATH$|NLSPATH$|MALLOC_|GETCONF_DIR$|HOSTALIASES$|LOCALDOMAIN$|RES_OPTIONS$|RESOLV_|NIS_PATH$|TZDIR$|ENV$|SHELLOPTS$|PS4$|IFS$|CDPATH$|FUNCNEST$|POSIXLY_CORRECT$)/;

/** What bash as /bin/sh takes from nobody: given by env(1), on a command line. No secret has such a name. */
const READ_ONLY = /^(?:SHELLOPTS|BASHOPTS|BASH_VERSINFO)$/;
const IDENTIFIER = /^[A-Za-z_]\w*$/;
/** Carries a value to the last step by a name that nobody heeds. */
const CARRIER = 'EDGE_LATE_';

/**
 * The command line by which a flow begins: the gate, then each of `words` (a sandbox, limits, rights given up), then the flow
 * itself. What a loader or a shell would obey reaches only the flow: a shell behind all of them gives it the name it is to have.
 * Its value is no argument before, which everybody on the machine could read as long as the sandbox runs (`LD_SDK_KEY`).
 */
export function launchChain(
  command: FlowCommand,
  environment: Readonly<Record<string, string>>,
  words: readonly string[],
  /** What the words add to the environment. */
  added: readonly string[] = [],
): Launch {
  const early: Record<string, string> = {};
  const steps = added.filter((name) => !Object.hasOwn(environment, name)).map((name) => `unset ${name}`);
  const odd: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (!IDENTIFIER.test(name) || READ_ONLY.test(name)) odd.push(`${name}=${value}`);
    else if (HEARD.test(name)) {
      const carrier = `${CARRIER}${steps.length}`;
      early[carrier] = value;
      steps.push(`export ${name}="$${carrier}"; unset ${carrier}`);
    } else early[name] = value;
  }
  const renamed =
    steps.length === 0
      ? []
      : ['/bin/sh', '-c', ['unset PWD OLDPWD SHLVL', ...steps, 'exec "$@"'].join('; '), 'sh'];
  const given = odd.length === 0 ? [] : ['/usr/bin/env', ...odd];
  return {
    file: '/bin/sh',
    args: ['-c', GATE, 'sh', ...words, ...renamed, ...given, command.file, ...command.args],
    environment: early,
  };
}
