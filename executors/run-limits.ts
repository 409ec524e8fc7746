import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

/** What one run may take of the machine. Far above what flows need: against fork bombs and runaway allocations, not for sharing. */
export interface RunLimits {
  /** Processes and threads, as the kernel counts them. */
  readonly processes: number;
  readonly memoryBytes: number;
  /** Of one process. */
  readonly openFiles: number;
}

const PROCESSES = 4_096;
const OPEN_FILES = 65_536;
const MEMORY_SHARE = 0.75;
/** A person's own programs count too where flows have no account and no sandbox of their own. */
const SHARED_PROCESSES = 4 * PROCESSES;

/** Three quarters of the memory of this machine, or of the container that the agent is in. */
export function machineLimits(
  total = totalmem(),
  constrained: number | undefined = process.constrainedMemory(),
): RunLimits {
  const memory = constrained !== undefined && constrained > 0 ? Math.min(total, constrained) : total;
  return {
    processes: PROCESSES,
    memoryBytes: Math.floor(memory * MEMORY_SHARE),
    openFiles: OPEN_FILES,
  };
}

/**
 * `prlimit(1)` with what of the limits can be set for each process, to stand before a command: what a process may allocate
 * (RLIMIT_DATA: browsers and V8 reserve far more addresses than they use, so RLIMIT_AS would end them), open files, processes of the
 * account (in a sandbox: of this run), no core dumps. What is lower already stays. Source: getrlimit(2).
 */
export function limitWords(
  prlimit: string,
  limits: RunLimits,
  { counts, bounded }: { counts: 'run' | 'account'; bounded: boolean },
  inherited = readInherited(),
): string[] {
  const lower = (name: string, value: number, of: keyof Inherited) =>
    inherited[of] > value ? [`--${name}=${value}`] : [];
  const processes = counts === 'run' ? limits.processes : limits.processes * (SHARED_PROCESSES / PROCESSES);
  return [
    prlimit,
    '--core=0',
    ...lower('nofile', limits.openFiles, 'openFiles'),
    ...lower('nproc', processes, 'processes'),
    // A group's limit counts what is used, which is better than what is asked for.
    ...(bounded ? [] : lower('data', limits.memoryBytes, 'data')),
    '--',
  ];
}

interface Inherited {
  readonly openFiles: number;
  readonly processes: number;
  readonly data: number;
}

/** The agent's own hard limits, which its children cannot go above. */
function readInherited(): Inherited {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const hard = (name: string) => {
    const found = new RegExp(`^${name} +\\S+ +(\\S+)`, 'm').exec(limits)?.[1];
    return found === undefined || found === 'unlimited' ? Number.POSITIVE_INFINITY : Number(found);
  };
  return {
    openFiles: hard('Max open files'),
    processes: hard('Max processes'),
    data: hard('Max data size'),
  };
}
