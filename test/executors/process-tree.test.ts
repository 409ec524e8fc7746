import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createCgroup, findCgroups, mountedAt, ownCgroup, runGroupName } from '../../executors/cgroup.ts';
import { endOrphans } from '../../executors/orphans.ts';
import { processStartToken } from '../../executors/process-table.ts';
import { createProcessTree } from '../../executors/process-tree.ts';
import { alive } from '../contract/executor.ts';

let count = 0;
const newRunId = () => `tree-${process.pid}-${Date.now()}-${count++}`;

/** A first process of a run with what the script starts; the pids it prints, once `expected` of them are there. */
async function start(runId: string, script: string, expected: number) {
  const child = spawn('python3', ['-c', `import os, signal, time\n${script}\ntime.sleep(60)`], {
    detached: true,
    env: { ...process.env, EDGE_RUN_ID: runId },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  const pids = () => output.split('\n').filter(Boolean).map(Number);
  while (pids().length < expected) output += String((await once(child.stdout, 'data'))[0]);
  child.stdout.destroy();
  return { child, leader: child.pid as number, pids: pids() };
}

const DAEMON = `
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(60)
    os._exit(0)
`;

describe('the process tree without a cgroup', () => {
  it('outruns a process that starts others without end', async () => {
    const runId = newRunId();
    const tree = await createProcessTree(runId, null);
    // Each process starts its follower and ends: there is never one that lives long enough to be killed alone.
    const { leader } = await start(
      runId,
      `
os.write(1, b"1\\n")
os.setpgid(0, 0) if os.getpgid(0) != os.getpid() else None
if os.fork() == 0:
    os.setsid()
    for _ in range(100000):
        if os.fork(): os._exit(0)
        time.sleep(0.001)
`,
      1,
    );
    await tree.enter(leader);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(tree.kind).toBe('process-group');
    expect(await tree.end()).toBe(true);
    expect(await endOrphans({ runId, process: null })).toEqual({ ended: 0, left: 0 });
  });

  it('leaves processes of other runs alone', async () => {
    const [ours, theirs] = [newRunId(), newRunId()];
    const other = await start(theirs, DAEMON, 1);
    const mine = await start(ours, DAEMON, 1);
    const tree = await createProcessTree(ours, null);
    await tree.enter(mine.leader);
    await tree.end();
    expect(await alive([mine.leader, ...mine.pids])).toEqual([]);
    expect(await alive([other.leader, ...other.pids])).toEqual([other.leader, ...other.pids]);
    expect(await endOrphans({ runId: theirs, process: null })).toMatchObject({ left: 0 });
    expect(await alive([other.leader, ...other.pids])).toEqual([]);
  });
});

describe.skipIf(ownCgroup() === null)('the process tree with a cgroup', () => {
  it('ends even what left the session, wiped its environment and lost its parent', async () => {
    const runId = newRunId();
    const tree = await createProcessTree(runId, ownCgroup());
    const child = spawn('sh', ['-c', 'read go && exec "$@"', 'sh', 'python3', '-c', HIDDEN], {
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    await tree.enter(child.pid as number);
    expect(tree.kind).toBe('cgroup');
    child.stdin.end('go\n');
    const hidden = Number(String((await once(child.stdout, 'data'))[0]));
    expect(await alive([hidden])).toEqual([hidden]);
    expect(await tree.end()).toBe(true);
    expect(await alive([hidden])).toEqual([]);
    expect(existsSync(join(ownCgroup() as string, runGroupName(runId)))).toBe(false);
  });

  it('is found again by the next life of the agent', async () => {
    const runId = newRunId();
    const group = await createCgroup(ownCgroup() as string, runId);
    const child = spawn('sleep', ['60'], { detached: true, env: {} });
    await group?.add(child.pid as number);
    const ended = once(child, 'exit');
    expect(await endOrphans({ runId, process: null })).toEqual({ ended: 1, left: 0 });
    expect((await ended)[1]).toBe('SIGKILL');
    expect(await findCgroups(runId)).toEqual([]);
  });
});

const HIDDEN = `
import os, time
if os.fork(): time.sleep(60)
os.setsid()
if os.fork(): os._exit(0)
os.execve("/bin/sh", ["sh", "-c", "echo $$; sleep 60"], {})
`;

describe('orphans of an earlier life', () => {
  it('are ended by process group and by mark, children in sessions of their own too', async () => {
    const runId = newRunId();
    const { leader, pids } = await start(runId, DAEMON, 1);
    const process = { pid: leader, started: (await processStartToken(leader)) as string };
    const { ended, left } = await endOrphans({ runId, process });
    // The parent of the daemon may still be on its way out.
    expect([ended >= 2, left]).toEqual([true, 0]);
    expect(await alive([leader, ...pids])).toEqual([]);
  });

  it('are not taken for a later process of the same pid, nor looked for after a restart of the machine', async () => {
    const child = spawn('sleep', ['60'], { detached: true });
    const pid = child.pid as number;
    const [boot, started] = ((await processStartToken(pid)) as string).split(':');
    const earlier = { pid, started: `${boot}:${Number(started) - 1}` };
    expect(await endOrphans({ runId: newRunId(), process: earlier })).toEqual({ ended: 0, left: 0 });
    const otherBoot = { pid, started: `another-boot:${started}` };
    expect(await endOrphans({ runId: newRunId(), process: otherBoot })).toEqual({ ended: 0, left: 0 });
    expect(await alive([pid])).toEqual([pid]);
    expect(await endOrphans({ runId: newRunId(), process: { pid, started: `${boot}:${started}` } })).toEqual({
      ended: 1,
      left: 0,
    });
  });
});

describe('the place of a cgroup', () => {
  const hybrid = [
    '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
    '40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd',
    '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
  ].join('\n');

  it('is found by the type of the mount, not by its usual path', () => {
    expect(mountedAt(hybrid, '9:name=systemd:/\n0::/')).toBe('/sys/fs/cgroup/unified/');
    expect(mountedAt(hybrid, '0::/system.slice/edge-agent.service')).toBe(
      '/sys/fs/cgroup/unified/system.slice/edge-agent.service',
    );
  });

  it('takes a mount of a part of the hierarchy for that part, and spaces as they are written', () => {
    const part = '30 23 0:26 /pod /mnt/c\\040g rw shared:4 master:1 - cgroup2 cgroup rw';
    expect(mountedAt(part, '0::/pod/agent')).toBe('/mnt/c g/agent');
    expect(mountedAt(part, '0::/podium')).toBeNull();
  });

  it('is none where there is no cgroup v2', () => {
    expect(mountedAt(hybrid.split('\n').slice(0, 2).join('\n'), '0::/')).toBeNull();
    expect(mountedAt(hybrid, '9:name=systemd:/')).toBeNull();
  });
});
