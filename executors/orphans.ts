import { findCgroups, runGroupName } from './cgroup.ts';
import { removeLimitGroup } from './cgroup-limits.ts';
import { bootId } from './process-table.ts';
import { endGroup, membersOf, sweep } from './process-tree.ts';

/** A run that an earlier life of the agent had started, as the database remembers it. */
export interface OrphanedRun {
  readonly runId: string;
  /** As `RunHandle.process` gave it, or null when the life ended before it was noted. */
  readonly process: { readonly pid: number; readonly started: string } | null;
}

/**
 * Ends what a crash of the agent left running of a run: its cgroup, its process group and session (only while the pid is
 * still the process that was started), its descendants, and every process that carries its `EDGE_RUN_ID`.
 * After a restart of the machine there is nothing to end.
 */
export async function endOrphans(run: OrphanedRun): Promise<{ ended: number; left: number }> {
  const boot = await bootId();
  const [bootThen, started] = split(run.process?.started);
  if (boot !== null && bootThen !== null && boot !== bootThen) return { ended: 0, left: 0 };
  const target = { runId: run.runId, leader: run.process?.pid ?? null, leaderStarted: started };
  let ended = 0;
  for (const cgroup of await findCgroups(run.runId)) {
    ended += (await cgroup.members()).length;
    await endGroup(cgroup);
  }
  ended += (await membersOf(target)).length;
  const gone = await sweep(target);
  await removeLimitGroup(runGroupName(run.runId));
  return { ended, left: gone ? 0 : (await membersOf(target)).length };
}

/** `<boot id>:<start>` on Linux, `<start>` elsewhere. */
function split(token: string | undefined): [string | null, string | null] {
  if (token === undefined) return [null, null];
  const at = process.platform === 'linux' ? token.indexOf(':') : -1;
  return at < 0 ? [null, token] : [token.slice(0, at), token.slice(at + 1)];
}
