import { readdir, readFile } from 'node:fs/promises';
import { execa } from 'execa';

/** One process of this machine, as far as ending a run needs it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Zombies are gone but for their parent's wait: nothing can be ended about them. */
  readonly zombie: boolean;
  /** When it started, comparable on one machine between two boots; not a time. */
  readonly started: string;
}

const OPEN_AT_ONCE = 64;
const PS_TIMEOUT_MS = 10_000;
const PS_MAX_BYTES = 32 * 1024 * 1024;

/**
 * Tells a process from a later one of the same pid: the boot and the start time. Null when there is no such process.
 * Linux: `/proc/<pid>/stat` field 22 (proc_pid_stat(5)) after the boot id; elsewhere the `lstart` of ps(1).
 */
export async function processStartToken(pid: number): Promise<string | null> {
  if (process.platform === 'linux') {
    const entry = await readEntry(pid);
    return entry === null || entry.zombie ? null : `${await bootId()}:${entry.started}`;
  }
  if (process.platform === 'win32') return windowsStart(pid);
  const lines = await ps(['-o', 'lstart=', '-p', String(pid)]);
  return lines[0]?.trim() || null;
}

/** Differs after a restart of the machine; null where the platform does not say. */
export async function bootId(): Promise<string | null> {
  if (process.platform !== 'linux') return null;
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/** Every process, without those that ended while it was read. */
export async function listProcesses(): Promise<ProcessEntry[]> {
  if (process.platform === 'linux') {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    return (await inBatches(pids, readEntry)).filter((entry) => entry !== null);
  }
  // `sess` is a pointer on macOS and no number of a session: the group stands in for it.
  const lines = await ps(['-ax', '-o', 'pid=,ppid=,pgid=,stat=,lstart=']);
  return lines.flatMap((line) => {
    const found = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.*\S)\s*$/.exec(line);
    if (found === null) return [];
    const [pid, parent, group] = found.slice(1, 4).map(Number) as [number, number, number];
    const zombie = (found[4] as string).startsWith('Z');
    return [{ pid, parent, group, session: group, zombie, started: found[5] as string }];
  });
}

/**
 * Of these processes, those whose environment has `name=value`. Reads what the platform lets this account read:
 * `/proc/<pid>/environ` on Linux, `ps -E` on macOS.
 */
export async function withEnvironment(pids: readonly number[], mark: string): Promise<Set<number>> {
  const marked = new Set<number>();
  if (process.platform === 'linux') {
    const wanted = Buffer.from(mark);
    await inBatches(pids, async (pid) => {
      const environ = await readFile(`/proc/${pid}/environ`).catch(() => null);
      if (environ !== null && hasEntry(environ, wanted)) marked.add(pid);
    });
    return marked;
  }
  const among = new Set(pids);
  for (const line of await ps(['-axEww', '-o', 'pid=,command='])) {
    const pid = Number.parseInt(line, 10);
    if (among.has(pid) && ` ${line} `.includes(` ${mark} `)) marked.add(pid);
  }
  return marked;
}

/** Thousands of files opened at once would exhaust the descriptors, and a process not read is one not ended. */
async function inBatches<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < items.length; at += OPEN_AT_ONCE) {
    results.push(...(await Promise.all(items.slice(at, at + OPEN_AT_ONCE).map(work))));
  }
  return results;
}

function hasEntry(environ: Buffer, mark: Buffer): boolean {
  for (let at = environ.indexOf(mark); at >= 0; at = environ.indexOf(mark, at + 1)) {
    const end = at + mark.length;
    if ((at === 0 || environ[at - 1] === 0) && (end === environ.length || environ[end] === 0)) return true;
  }
  return false;
}

async function readEntry(pid: number): Promise<ProcessEntry | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => null);
  if (stat === null) return null;
  // The second field is the name in parentheses, and may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    pid,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    zombie: fields[0] === 'Z' || fields[0] === 'X',
    started: fields[19] as string,
  };
}

async function ps(args: readonly string[]): Promise<string[]> {
  const { stdout } = await execa('ps', args, {
    env: { LC_ALL: 'C' },
    reject: false,
    timeout: PS_TIMEOUT_MS,
    maxBuffer: PS_MAX_BYTES,
  });
  return (stdout ?? '').split('\n').filter((line) => line !== '');
}

/** Untested here: needs Windows. */
async function windowsStart(pid: number): Promise<string | null> {
  const script = `(Get-Process -Id ${pid} -ErrorAction Stop).StartTime.ToUniversalTime().Ticks`;
  const { stdout, exitCode } = await execa('powershell.exe', ['-NoProfile', '-Command', script], {
    reject: false,
    timeout: PS_TIMEOUT_MS,
    maxBuffer: 65_536,
  });
  return exitCode === 0 ? stdout.trim() : null;
}
