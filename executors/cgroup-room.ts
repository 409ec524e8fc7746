import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** The agent's own leaf in a group that is handed to it. */
const LEAF = 'edge-agent';

/** Of a folder that is the agent's leaf the one above, in which runs get their groups; else the folder itself. */
export function aboveLeaf(folder: string): string {
  return basename(folder) === LEAF ? dirname(folder) : folder;
}

/**
 * A group hands limits to those below it only while no process is in itself. When all that is in the agent's group came from the agent
 * (a service with `Delegate=yes`, or a scope of its own), they move into a leaf. Anything else, such as a person's
 * shell, is left where it is: then there are no limits. True when limits can be had. Source: systemd's CGROUP_DELEGATION.md.
 */
export async function makeRoom(own: string): Promise<boolean> {
  const group = aboveLeaf(own);
  try {
    const names = async (file: string) => (await readFile(join(group, file), 'utf8')).split(/\s+/);
    const wanted = ['pids', 'memory'];
    const handed = await names('cgroup.subtree_control');
    if (wanted.every((name) => handed.includes(name))) return true;
    const had = await names('cgroup.controllers');
    if (!wanted.every((name) => had.includes(name))) return false;
    const inside = (await names('cgroup.procs')).filter((pid) => pid !== '').map(Number);
    for (const pid of inside) if (!(await isOurs(pid))) return false;
    if (inside.length > 0) await mkdir(join(group, LEAF), { recursive: true });
    for (const pid of inside)
      await writeFile(join(group, LEAF, 'cgroup.procs'), String(pid)).catch(
        (error: NodeJS.ErrnoException) => {
          // It has ended meanwhile.
          if (error.code !== 'ESRCH') throw error;
        },
      );
    await writeFile(join(group, 'cgroup.subtree_control'), '+pids +memory');
    return true;
  } catch {
    return false;
  }
}

/** This process, or one that it started, however far down. */
async function isOurs(pid: number): Promise<boolean> {
  for (let at = pid; at > 1; ) {
    if (at === process.pid) return true;
    const stat = await readFile(`/proc/${at}/stat`, 'latin1').catch(() => null);
    // It has ended: it is in nobody's way.
    if (stat === null) return at === pid;
    at = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  }
  return false;
}
