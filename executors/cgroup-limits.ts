import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunLimits } from './run-limits.ts';

const REMOVE_TRIES = 20;
const REMOVE_WAIT_MS = 25;

/** A group whose processes the kernel counts together. */
export interface LimitGroup {
  add(pid: number): Promise<boolean>;
  /** Nothing happens while a process is in it. */
  remove(): Promise<void>;
}

/**
 * Sets the limits of a cgroup v2, one memory fault ending all of it. False when the groups above do not hand it the controllers:
 * they can only while no process is in them (cgroup-v2.rst, "No Internal Process Constraint").
 */
export async function limitCgroup(parent: string, folder: string, limits: RunLimits): Promise<boolean> {
  try {
    if (!(await hasControllers(folder))) {
      await writeFile(join(parent, 'cgroup.subtree_control'), '+pids +memory');
      if (!(await hasControllers(folder))) return false;
    }
    await writeFile(join(folder, 'pids.max'), String(limits.processes));
    await writeFile(join(folder, 'memory.max'), String(limits.memoryBytes));
    await writeFile(join(folder, 'memory.oom.group'), '1');
    return true;
  } catch {
    return false;
  }
}

async function hasControllers(folder: string): Promise<boolean> {
  const names = (await readFile(join(folder, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  return names.includes('pids') && names.includes('memory');
}

/** The file that holds each limit where the controllers are those of cgroup v1, as on hybrid systems. */
const V1 = [
  { controller: 'pids', file: 'pids.max', value: (limits: RunLimits) => limits.processes },
  { controller: 'memory', file: 'memory.limit_in_bytes', value: (limits: RunLimits) => limits.memoryBytes },
] as const;

/** Groups of that name below the agent's own in both controllers of cgroup v1; null when one of them is not to be had. */
export async function createLimitGroup(name: string, limits: RunLimits): Promise<LimitGroup | null> {
  const folders = (await ownPlaces()).map((place) => join(place, name));
  const group = openLimitGroup(folders);
  try {
    if (folders.length < V1.length) return null;
    for (const [index, { file, value }] of V1.entries()) {
      const folder = folders[index] as string;
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, file), String(value(limits)));
    }
    return group;
  } catch {
    await group.remove();
    return null;
  }
}

/** Removes what an earlier life made of that name. */
export async function removeLimitGroup(name: string): Promise<void> {
  await openLimitGroup((await ownPlaces()).map((place) => join(place, name))).remove();
}

function openLimitGroup(folders: readonly string[]): LimitGroup {
  return {
    async add(pid) {
      const added = folders.map((folder) => writeFile(join(folder, 'cgroup.procs'), String(pid)));
      return (await Promise.allSettled(added)).every(({ status }) => status === 'fulfilled');
    },
    async remove() {
      for (const folder of folders) await removeGroup(folder);
    },
  };
}

/** What was killed a moment ago is in it until somebody has waited for it. */
async function removeGroup(folder: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const busy = await rmdir(folder).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === 'EBUSY',
    );
    if (!busy || tries === REMOVE_TRIES) return;
    await sleep(REMOVE_WAIT_MS);
  }
}

async function ownPlaces(): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  const [mountinfo, own] = await Promise.all(
    ['mountinfo', 'cgroup'].map((name) => readFile(`/proc/self/${name}`, 'utf8')),
  );
  return V1.flatMap(
    ({ controller }) => controllerPlace(controller, mountinfo as string, own as string) ?? [],
  );
}

/** The agent's own folder in the hierarchy of one controller of cgroup v1. Source: cgroups(7). */
export function controllerPlace(controller: string, mountinfo: string, own: string): string | null {
  const line = own.split('\n').find((each) => each.split(':')[1]?.split(',').includes(controller));
  const path = line?.split(':').slice(2).join(':');
  if (path === undefined) return null;
  for (const mount of mountinfo.split('\n')) {
    const [place, kind] = mount.split(' - ');
    const [type, , options] = kind?.split(' ') ?? [];
    if (type !== 'cgroup' || options?.split(',').includes(controller) !== true) continue;
    const [, , , root, point] = place?.split(' ') ?? [];
    if (root === undefined || point === undefined) continue;
    if (root === '/') return join(point, path);
    if (path === root || path.startsWith(`${root}/`)) return join(point, path.slice(root.length));
  }
  return null;
}
