import { accessSync, constants, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { limitCgroup } from './cgroup-limits.ts';
import { aboveLeaf } from './cgroup-room.ts';
import type { RunLimits } from './run-limits.ts';

const POLL_MS = 5;
/** Folders looked at for what an earlier life left. */
const WALK_MAX = 20_000;

/**
 * The agent's own cgroup v2 folder when groups of runs can be made below it, else null. Reads `/proc/self/mountinfo` for the
 * mount of type cgroup2 (on hybrid systems a plain tmpfs lies at `/sys/fs/cgroup`, where a folder looks like a group and
 * is none), and `/proc/self/cgroup` for the place in it. Below its own place, so that a service manager that ends the
 * agent's group ends the runs too. Source: cgroups(7), Documentation/admin-guide/cgroup-v2.rst ("Delegation").
 */
export function ownCgroup(): string | null {
  if (process.platform !== 'linux') return null;
  try {
    let place = mountedAt(
      readFileSync('/proc/self/mountinfo', 'utf8'),
      readFileSync('/proc/self/cgroup', 'utf8'),
    );
    if (place === null) return null;
    place = aboveLeaf(place);
    accessSync(place, constants.W_OK | constants.X_OK);
    // Moving a process needs the right to write here, the nearest ancestor of where it comes from and where it goes.
    accessSync(join(place, 'cgroup.procs'), constants.W_OK);
    return place;
  } catch {
    return null;
  }
}

/** The folder of the group of `/proc/self/cgroup` (its `0::` line) under the cgroup2 mount of `/proc/self/mountinfo`. */
export function mountedAt(mountinfo: string, cgroup: string): string | null {
  const own = /^0::(\/.*)$/m.exec(cgroup)?.[1];
  if (own === undefined) return null;
  for (const line of mountinfo.split('\n')) {
    const [mount, kind] = line.split(' - ');
    if (mount === undefined || kind?.split(' ')[0] !== 'cgroup2') continue;
    const [, , , root, point] = mount.split(' ').map(unescaped);
    if (root === undefined || point === undefined) continue;
    if (root === '/') return join(point, own);
    if (own === root || own.startsWith(`${root}/`)) return join(point, own.slice(root.length));
  }
  return null;
}

function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** A group of processes that nothing started inside can leave without the right to write to the groups above. */
export interface Cgroup {
  /** Whether the kernel holds all of it together to the limits of a run. */
  readonly limited: boolean;
  /** False when the kernel did not take the process. */
  add(pid: number): Promise<boolean>;
  /** Every process in it; empty when all ended. */
  members(): Promise<number[]>;
  /** Kills all at once (`cgroup.kill`, Linux 5.14) and waits until it is empty; false when `limitMs` passed before. */
  kill(limitMs: number): Promise<boolean>;
  /** Removes it with the groups made inside. Nothing happens when a process is still there. */
  remove(): Promise<void>;
}

export function runGroupName(runId: string): string {
  return `edge-run-${runId}`;
}

/** A fresh group for a run below `parent`, or null when the kernel does not let us (or has no `cgroup.kill`). */
export async function createCgroup(
  parent: string,
  runId: string,
  limits: RunLimits | null = null,
): Promise<Cgroup | null> {
  const folder = join(parent, runGroupName(runId));
  try {
    await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await readFile(join(folder, 'cgroup.procs'));
    // It can only be written; that it is there tells the kernel from a plain folder and from one that is too old.
    if (!(await readdir(folder)).includes('cgroup.kill')) {
      await rmdir(folder);
      return null;
    }
    return openCgroup(folder, limits !== null && (await limitCgroup(parent, folder, limits)));
  } catch {
    return null;
  }
}

/** The groups an earlier life made for this run, anywhere in the hierarchy this agent is in. */
export async function findCgroups(runId: string): Promise<Cgroup[]> {
  const found: Cgroup[] = [];
  if (process.platform !== 'linux') return found;
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8');
  const mount = mountedAt(mountinfo, '0::/');
  const folders = mount === null ? [] : [mount];
  for (let seen = 0; folders.length > 0 && seen < WALK_MAX; seen++) {
    const folder = folders.pop() as string;
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const path = join(folder, entry.name);
      if (entry.name === runGroupName(runId)) found.push(openCgroup(path));
      else folders.push(path);
    }
  }
  return found;
}

function openCgroup(folder: string, limited = false): Cgroup {
  const populated = async () => {
    const events = await readFile(join(folder, 'cgroup.events'), 'utf8').catch(() => 'populated 0');
    return /^populated 1$/m.test(events);
  };
  return {
    limited,
    async add(pid) {
      return writeFile(join(folder, 'cgroup.procs'), `${pid}`).then(
        () => true,
        () => false,
      );
    },
    async members() {
      return membersOf(folder);
    },
    async kill(limitMs) {
      const until = performance.now() + limitMs;
      while (await populated()) {
        if (performance.now() >= until) return false;
        await writeFile(join(folder, 'cgroup.kill'), '1').catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
      return true;
    },
    async remove() {
      await removeTree(folder);
    },
  };
}

async function membersOf(folder: string): Promise<number[]> {
  const procs = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
  const own = procs.split('\n').filter((line) => line !== '');
  const inner = await Promise.all((await foldersIn(folder)).map(membersOf));
  return [...own.map(Number), ...inner.flat()];
}

async function removeTree(folder: string): Promise<void> {
  for (const inner of await foldersIn(folder)) await removeTree(inner);
  await rmdir(folder).catch(() => {});
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
}
