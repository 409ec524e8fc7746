import { type Cgroup, createCgroup, runGroupName } from './cgroup.ts';
import { createLimitGroup } from './cgroup-limits.ts';
import { listProcesses, type ProcessEntry } from './process-table.ts';
import type { RunLimits } from './run-limits.ts';
import { runHelper } from './system-program.ts';

/** How long killing a tree may take; more only where the kernel holds a process (a hung mount). */
const END_TIMEOUT_MS = 10_000;
const PAUSE_MS = 10;
/** Looks in a row that find nothing before a sweep believes it: one look can miss what forks and ends while it reads. */
const EMPTY_LOOKS = 8;

/** All processes of one run, however they were started. */
export interface ProcessTree {
  readonly kind: 'cgroup' | 'process-group' | 'taskkill';
  /** The kernel counts all of it together: processes and memory. */
  readonly limited: boolean;
  /** Takes in the first process, which leads its own group, before it starts anything. */
  enter(leader: number): Promise<void>;
  /** What to interrupt leads a group of its own in a sandbox, whose process is known once it has begun; null: it never did. */
  leadsInside(first: Promise<number | null>): void;
  /** Asks to stop, as Ctrl-C at a terminal does: SIGINT to the process group. Windows: taskkill without force. */
  interrupt(): void;
  /** Kills all, also those that called setsid or outlived their parent. False when some are still there. */
  end(): Promise<boolean>;
}

/**
 * `parent`: the cgroup to make the run's group in (`ownCgroup()`), or null. Without a cgroup the tree is the process group,
 * the session, every descendant, and every process whose environment has this run's `EDGE_RUN_ID`: enough for daemons,
 * not for one that also wiped its environment and left the session while its parent had ended.
 */
export async function createProcessTree(
  runId: string,
  parent: string | null,
  limits: RunLimits | null = null,
): Promise<ProcessTree> {
  if (process.platform === 'win32') return createTaskkillTree();
  const cgroup = parent === null ? null : await createCgroup(parent, runId, limits);
  // Of a cgroup v2 without controllers: a hybrid system, which has them in groups of the older kind.
  const older =
    cgroup === null || limits === null || cgroup.limited
      ? null
      : await createLimitGroup(runGroupName(runId), limits);
  let inside: Promise<number | null> | null = null;
  let leader: number | null = null;
  let held = false;
  return {
    get kind() {
      return cgroup !== null && (leader === null || held) ? 'cgroup' : 'process-group';
    },
    get limited() {
      return cgroup?.limited === true || older !== null;
    },
    async enter(pid) {
      leader = pid;
      await older?.add(pid);
      held = cgroup !== null && (await cgroup.add(pid));
    },
    leadsInside(first) {
      inside = first;
    },
    interrupt() {
      if (inside === null) {
        if (leader !== null) signal(-leader, 'SIGINT');
        return;
      }
      // The first process inside heeds no signal but the last; those that it started, and who are with it in the group, do.
      void interruptInside(inside);
    },
    async end() {
      if (leader !== null) signal(-leader, 'SIGKILL');
      try {
        if (held) return await endGroup(cgroup as Cgroup);
        await cgroup?.remove();
        return await swept();
      } finally {
        await older?.remove();
      }
    },
  };

  async function interruptInside(known: Promise<number | null>): Promise<void> {
    const first = await known;
    if (first !== null) signal(-first, 'SIGINT');
  }

  async function swept(): Promise<boolean> {
    return leader === null || sweep({ runId, leader, leaderStarted: null });
  }
}

export async function endGroup(cgroup: Cgroup): Promise<boolean> {
  const empty = await cgroup.kill(END_TIMEOUT_MS);
  await cgroup.remove();
  return empty;
}

export interface SweepTarget {
  readonly runId: string;
  /** Process id of the first process, which led its own group and session; null when it is not known. */
  readonly leader: number | null;
  /** Its start (`ProcessEntry.started`) where it may have ended long ago and its pid may be another's; null when it was ours until now. */
  readonly leaderStarted: string | null;
}

/**
 * Ends whatever belongs to a run without the help of a cgroup. Everything found is stopped before anything is killed,
 * again and again until nothing new is found, and by its group: the kernel signals a group as one, so that what forks and
 * ends all the time is caught once any of it was seen. Ends when several looks in a row find nothing.
 */
export async function sweep(target: SweepTarget): Promise<boolean> {
  const until = performance.now() + END_TIMEOUT_MS;
  const everything = new Set<number>();
  for (let empty = 0; empty < EMPTY_LOOKS; ) {
    const found = await lookFor(target);
    const fresh = found.filter((id) => !everything.has(id));
    for (const id of fresh) {
      signal(id, 'SIGSTOP');
      everything.add(id);
    }
    if (fresh.length > 0 && performance.now() < until) continue;
    for (const id of everything) signal(id, 'SIGKILL');
    everything.clear();
    empty = found.length === 0 ? empty + 1 : 0;
    if (performance.now() >= until) return found.length === 0;
    if (empty < EMPTY_LOOKS) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return true;
}

/** What to signal: groups of members as negative numbers, and members whose group is not the run's alone. */
async function lookFor(target: SweepTarget): Promise<number[]> {
  const { members, ours } = await look(target);
  const shared = new Set([...ours].map((entry) => entry.group));
  return [
    ...new Set(
      members.map((entry) => (shared.has(entry.group) || entry.group < 2 ? entry.pid : -entry.group)),
    ),
  ];
}

/** Living processes of the run, never this one nor those it came from. */
export async function membersOf(target: SweepTarget): Promise<number[]> {
  return (await look(target)).members.map((entry) => entry.pid);
}

async function look(target: SweepTarget): Promise<{ members: ProcessEntry[]; ours: ProcessEntry[] }> {
  const all = await listProcesses(`EDGE_RUN_ID=${target.runId}`);
  const byPid = new Map(all.map((entry) => [entry.pid, entry]));
  const line = lineage(byPid);
  const others = all.filter((entry) => !line.has(entry.pid));
  const holder = target.leader === null ? undefined : byPid.get(target.leader);
  // A pid stays taken while it names a group or a session: with another start it was given anew, so those are gone.
  const reused =
    target.leaderStarted !== null && holder !== undefined && holder.started !== target.leaderStarted;
  const leader = reused ? null : target.leader;
  const members = new Set<number>();
  for (const entry of others) {
    const together = leader !== null && (entry.group === leader || entry.session === leader);
    if (together || entry.marked) members.add(entry.pid);
  }
  // Descendants: parents may come after their children in the table.
  for (let grew = true; grew; ) {
    grew = false;
    for (const entry of others) {
      if (members.has(entry.pid) || !members.has(entry.parent)) continue;
      members.add(entry.pid);
      grew = true;
    }
  }
  return {
    members: others.filter((entry) => members.has(entry.pid) && !entry.zombie),
    ours: all.filter((entry) => line.has(entry.pid)),
  };
}

function lineage(byPid: ReadonlyMap<number, ProcessEntry>): Set<number> {
  const pids = new Set([1]);
  for (let pid: number | undefined = process.pid; pid !== undefined && pid > 0 && !pids.has(pid); ) {
    pids.add(pid);
    pid = byPid.get(pid)?.parent;
  }
  return pids;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended in between, or belongs to an account that is not ours to signal: the sweep says so by not becoming empty.
  }
}

/** Untested here: needs Windows. taskkill walks parents: a child whose parent ended before is not found. */
function createTaskkillTree(): ProcessTree {
  let leader: number | null = null;
  const taskkill = (args: readonly string[]) =>
    runHelper('taskkill', ['/PID', String(leader), '/T', ...args], { timeoutMs: END_TIMEOUT_MS });
  return {
    kind: 'taskkill',
    limited: false,
    leadsInside() {},
    enter(pid) {
      leader = pid;
      return Promise.resolve();
    },
    interrupt() {
      if (leader !== null) void taskkill([]);
    },
    async end() {
      if (leader === null) return true;
      const { exitCode } = await taskkill(['/F']);
      // 128: there is no such process any more.
      return exitCode === 0 || exitCode === 128;
    },
  };
}
