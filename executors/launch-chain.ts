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

/**
 * The command line by which a flow begins: the gate, then each of `words` (a sandbox, limits, rights given up), then the flow
 * itself. What a loader or a shell would obey reaches only the flow, by env(1).
 */
export function launchChain(
  command: FlowCommand,
  environment: Readonly<Record<string, string>>,
  words: readonly string[],
  /** What the words add to the environment. */
  added: readonly string[] = [],
): Launch {
  const early: Record<string, string> = {};
  const late = added.filter((name) => !Object.hasOwn(environment, name)).flatMap((name) => ['-u', name]);
  for (const [name, value] of Object.entries(environment)) {
    if (HEARD.test(name) || !/^[A-Za-z_]\w*$/.test(name)) late.push(`${name}=${value}`);
    else early[name] = value;
  }
  const last = late.length === 0 ? [] : ['/usr/bin/env', ...late];
  return {
    file: '/bin/sh',
    args: ['-c', GATE, 'sh', ...words, ...last, command.file, ...command.args],
    environment: early,
  };
}
