import { readdirSync, readFileSync } from 'node:fs';

const EVERY_MS = 15;

export interface Peak {
  /** What the process was doing: the last word that says so. */
  readonly name: string;
  readonly bytes: number;
}

export interface TreeWatch {
  /** The highest resident memory of each process seen below the root, highest first, one entry a name. */
  peaks(): Peak[];
  stop(): Peak[];
}

/**
 * Watches the memory of a process and of everything below it. The kernel keeps the high-water mark (`VmHWM`), so looking now and then
 * misses only what a process takes in its last milliseconds. A process that is no descendant is looked at once and never again.
 */
export function watchTree(root: number): TreeWatch {
  const inside = new Map<number, Peak>([[root, { name: 'agent', bytes: 0 }]]);
  const outside = new Set<number>();

  const look = () => {
    const alive = readdirSync('/proc').flatMap((entry) => (/^\d+$/.test(entry) ? [Number(entry)] : []));
    // Parents are older than their children, so one pass in the order of the ids finds nearly all of them, the next one the rest.
    for (const pid of alive.toSorted((a, b) => a - b)) {
      if (inside.has(pid) || outside.has(pid)) continue;
      const parent = parentOf(pid);
      if (parent === null) continue;
      if (inside.has(parent)) inside.set(pid, { name: '', bytes: 0 });
      else outside.add(pid);
    }
    for (const [pid, before] of inside) {
      const bytes = highWater(pid);
      if (bytes === null) continue;
      const name = pid === root ? 'agent' : nameOf(pid);
      inside.set(pid, { name: name === '' ? before.name : name, bytes: Math.max(before.bytes, bytes) });
    }
  };
  const peaks = () => {
    const highest = new Map<string, number>();
    for (const { name, bytes } of inside.values()) highest.set(name, Math.max(highest.get(name) ?? 0, bytes));
    return [...highest]
      .map(([name, bytes]) => ({ name, bytes }))
      .filter(({ name, bytes }) => name !== '' && bytes > 0)
      .toSorted((a, b) => b.bytes - a.bytes);
  };

  look();
  const timer = setInterval(look, EVERY_MS);
  return {
    peaks,
    stop() {
      clearInterval(timer);
      look();
      return peaks();
    },
  };
}

/** Of each process the highest of several rounds. */
export function highestPeaks(rounds: readonly (readonly Peak[])[]): Peak[] {
  const highest = new Map<string, number>();
  for (const { name, bytes } of rounds.flat()) highest.set(name, Math.max(highest.get(name) ?? 0, bytes));
  return [...highest].map(([name, bytes]) => ({ name, bytes })).toSorted((a, b) => b.bytes - a.bytes);
}

/** Resident memory now, in bytes; null when the process is gone. */
export function residentBytes(pid: number): number | null {
  return statusBytes(pid, 'VmRSS');
}

function highWater(pid: number): number | null {
  return statusBytes(pid, 'VmHWM');
}

function statusBytes(pid: number, field: 'VmRSS' | 'VmHWM'): number | null {
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(read(`/proc/${pid}/status`))?.[1];
  return kib === undefined ? null : Number(kib) * 1_024;
}

function parentOf(pid: number): number | null {
  // The name of the program stands in brackets and may hold anything.
  const after = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ')[1];
  return after === undefined ? null : Number(after);
}

/** `internal-fetch` of the agent's own children, else the name of the program. */
function nameOf(pid: number): string {
  const words = read(`/proc/${pid}/cmdline`).split('\0');
  const verb = words.find((word) => /^internal-[a-z]+$/.test(word));
  return verb ?? (words[0] ?? '').split('/').at(-1) ?? '';
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
