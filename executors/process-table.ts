import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { runHelper } from './system-program.ts';

/** One process of this machine, as far as ending a run needs it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Zombies are gone but for their parent's wait: nothing can be ended about them. */
  readonly zombie: boolean;
  /** Its environment has the mark that was looked for. */
  readonly marked: boolean;
  /** When it started, comparable on one machine between two boots; not a time. */
  readonly started: string;
}

const READ_AT_ONCE = 256;
const PS_TIMEOUT_MS = 10_000;
const PS_MAX_BYTES = 32 * 1024 * 1024;

/**
 * Tells a process from a later one of the same pid: the boot and the start time. Null when there is no such process.
 * Linux: `/proc/<pid>/stat` field 22 (proc_pid_stat(5)) after the boot id; elsewhere the `lstart` of ps(1).
 */
export async function processStartToken(pid: number): Promise<string | null> {
  if (process.platform === 'linux') {
    const entry = readEntry(pid, null);
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

/**
 * Every process, the newest first, without those that ended while it was read. `mark`: a `NAME=value` to look for in their
 * environments, as far as this account may read them (`/proc/<pid>/environ`, `ps -E` on macOS).
 *
 * Read synchronously, some hundred at a time: what forks and ends within a millisecond is gone before a thread pool answers.
 */
export async function listProcesses(mark: string): Promise<ProcessEntry[]> {
  if (process.platform !== 'linux') return listByPs(mark);
  const wanted = Buffer.from(mark);
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const entries: ProcessEntry[] = [];
  for (const [index, name] of pids.reverse().entries()) {
    const entry = readEntry(Number(name), wanted);
    if (entry !== null) entries.push(entry);
    if (index % READ_AT_ONCE === READ_AT_ONCE - 1) await new Promise((resolve) => setImmediate(resolve));
  }
  return entries;
}

async function listByPs(mark: string): Promise<ProcessEntry[]> {
  const lines = await ps(['-axEww', '-o', 'pid=,ppid=,pgid=,stat=,lstart=,command=']);
  return lines.flatMap((line) => {
    const found = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+((?:\S+\s+){5})(.*)$/.exec(line);
    if (found === null) return [];
    const [pid, parent, group] = found.slice(1, 4).map(Number) as [number, number, number];
    const zombie = (found[4] as string).startsWith('Z');
    const marked = ` ${found[6]} `.includes(` ${mark} `);
    // What ps calls a session is an address on macOS: the group stands in for it.
    return [{ pid, parent, group, session: group, zombie, marked, started: (found[5] as string).trim() }];
  });
}

function hasEntry(environ: Buffer, mark: Buffer): boolean {
  for (let at = environ.indexOf(mark); at >= 0; at = environ.indexOf(mark, at + 1)) {
    const end = at + mark.length;
    if ((at === 0 || environ[at - 1] === 0) && (end === environ.length || environ[end] === 0)) return true;
  }
  return false;
}

function readEntry(pid: number, mark: Buffer | null): ProcessEntry | null {
  const stat = contents(`/proc/${pid}/stat`)?.toString('latin1');
  if (stat === undefined) return null;
  // The second field is the name in parentheses, and may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const environ = mark === null ? null : contents(`/proc/${pid}/environ`);
  return {
    pid,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    zombie: fields[0] === 'Z' || fields[0] === 'X',
    marked: environ !== null && hasEntry(environ, mark as Buffer),
    started: fields[19] as string,
  };
}

function contents(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    // It ended in between, or its environment is not ours to read.
    return null;
  }
}

async function ps(args: readonly string[]): Promise<string[]> {
  const { stdout } = await runHelper('ps', args, {
    env: { ...process.env, LC_ALL: 'C' },
    timeoutMs: PS_TIMEOUT_MS,
    maxBytes: PS_MAX_BYTES,
  });
  return stdout.split('\n').filter((line) => line !== '');
}

/** Untested here: needs Windows. */
async function windowsStart(pid: number): Promise<string | null> {
  const script = `(Get-Process -Id ${pid} -ErrorAction Stop).StartTime.ToUniversalTime().Ticks`;
  const { stdout, exitCode } = await runHelper('powershell.exe', ['-NoProfile', '-Command', script], {
    timeoutMs: PS_TIMEOUT_MS,
  });
  return exitCode === 0 ? stdout.trim() : null;
}
