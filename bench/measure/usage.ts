import { readFileSync } from 'node:fs';

/** USER_HZ, which Linux has fixed at 100 for every architecture that Node runs on. */
const MS_A_TICK = 10;

/** What a process has used since it began, with the children that it has waited for. */
export interface Usage {
  /** On a processor, in user and kernel mode. In steps of 10 ms: measure over many repetitions. */
  readonly cpuMs: number;
  /** Sent to the disk layer, as the kernel charges it: whole pages. */
  readonly writtenBytes: number;
}

/** Source: proc(5), `/proc/<pid>/stat` and `/proc/<pid>/io`; the kernel adds a child's to its parent's once it is reaped. */
export function usageOf(pid: number): Usage {
  return parseUsage(readFileSync(`/proc/${pid}/stat`, 'latin1'), readFileSync(`/proc/${pid}/io`, 'latin1'));
}

export function parseUsage(stat: string, io: string): Usage {
  const fields = stat.split(') ').at(-1)?.split(' ') ?? [];
  // user, system, and both of waited-for children: fields 14 to 17, counted from 1; the name is field 2.
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { cpuMs: ticks * MS_A_TICK, writtenBytes: Number(/^write_bytes: (\d+)$/m.exec(io)?.[1] ?? 0) };
}

export function usedBetween(before: Usage, after: Usage): Usage {
  return { cpuMs: after.cpuMs - before.cpuMs, writtenBytes: after.writtenBytes - before.writtenBytes };
}
