import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runGroupName } from '../../executors/cgroup.ts';
import { controllerPlace, createLimitGroup, limitCgroup } from '../../executors/cgroup-limits.ts';
import { aboveLeaf, makeRoom } from '../../executors/cgroup-room.ts';
import { endOrphans } from '../../executors/orphans.ts';

const LIMITS = { processes: 64, memoryBytes: 1 << 28, openFiles: 1_024 };

describe('the limits of a cgroup', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cgroup-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const at = (...names: string[]) => join(folder, ...names);
  const put = (name: string, content: string) => writeFileSync(at(name), content);
  const get = (...names: string[]) => readFileSync(at(...names), 'utf8');

  it('are set where the groups above hand down the controllers, and end all of a run at once', async () => {
    mkdirSync(at('run'));
    put('run/cgroup.controllers', 'cpu memory pids\n');
    expect(await limitCgroup(folder, at('run'), LIMITS)).toBe(true);
    expect([get('run', 'pids.max'), get('run', 'memory.max'), get('run', 'memory.oom.group')]).toEqual([
      '64',
      String(1 << 28),
      '1',
    ]);
  });

  it('are not there where nothing hands them down, which is tried', async () => {
    mkdirSync(at('run'));
    put('run/cgroup.controllers', 'hugetlb\n');
    expect(await limitCgroup(folder, at('run'), LIMITS)).toBe(false);
    expect(get('cgroup.subtree_control')).toBe('+pids +memory');
    expect(existsSync(at('run', 'pids.max'))).toBe(false);
  });

  it('are made possible by an agent that moves into a leaf of a group that is its own', async () => {
    put('cgroup.controllers', 'memory pids\n');
    put('cgroup.subtree_control', '\n');
    put('cgroup.procs', `${process.pid}\n`);
    expect(await makeRoom(folder)).toBe(true);
    expect(get('edge-agent', 'cgroup.procs')).toBe(String(process.pid));
    expect(get('cgroup.subtree_control')).toBe('+pids +memory');
    expect(aboveLeaf(at('edge-agent'))).toBe(folder);
    expect(aboveLeaf(folder)).toBe(folder);
    // Seen from the leaf by the next look: there is nothing left to do.
    put('cgroup.subtree_control', 'memory pids\n');
    expect(await makeRoom(at('edge-agent'))).toBe(true);
  });

  it('leave a group alone that somebody else is in, such as the shell of a person', async () => {
    put('cgroup.controllers', 'memory pids\n');
    put('cgroup.subtree_control', '\n');
    put('cgroup.procs', `${process.pid}\n${process.ppid}\n`);
    expect(await makeRoom(folder)).toBe(false);
    expect(get('cgroup.subtree_control')).toBe('\n');
    expect(existsSync(at('edge-agent'))).toBe(false);
  });

  it('have their place on a hybrid system by controller, not by name of the folder', () => {
    const mounts = [
      '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
      '42 31 0:39 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
      '43 31 0:40 /slice /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    ].join('\n');
    const own = '5:memory:/slice/agent\n4:cpu,cpuacct:/\n0::/slice/agent\n';
    expect(controllerPlace('memory', mounts, own)).toBe('/sys/fs/cgroup/memory/agent');
    expect(controllerPlace('cpuacct', mounts, own)).toBe('/sys/fs/cgroup/cpu,cpuacct/');
    expect(controllerPlace('pids', mounts, own)).toBeNull();
  });
});

describe('the limits of an older kind of group', () => {
  let sleeper: ChildProcess | null = null;
  afterEach(() => {
    sleeper?.kill('SIGKILL');
  });

  it('hold a process, and are gone when an earlier life left them', async (test) => {
    const runId = `limits-${process.pid}`;
    const group = await createLimitGroup(runGroupName(runId), LIMITS);
    if (group === null) return test.skip('pids and memory of cgroup v1, writable');
    sleeper = spawn('sleep', ['60'], { env: { EDGE_RUN_ID: runId, PATH: '/usr/bin:/bin' }, detached: true });
    expect(await group.add(sleeper.pid as number)).toBe(true);
    const places = readFileSync(`/proc/${sleeper.pid}/cgroup`, 'utf8');
    expect(places).toMatch(new RegExp(`:pids:.*/${runGroupName(runId)}\n`));
    expect(places).toMatch(new RegExp(`:memory:.*/${runGroupName(runId)}\n`));
    const gone = once(sleeper, 'exit');
    expect(await endOrphans({ runId, process: null })).toMatchObject({ left: 0 });
    await gone;
    await expect.poll(async () => (await endOrphans({ runId, process: null })).ended).toBe(0);
    const own = readFileSync('/proc/self/cgroup', 'utf8');
    const pids = controllerPlace('pids', readFileSync('/proc/self/mountinfo', 'utf8'), own) as string;
    expect(existsSync(join(pids, runGroupName(runId)))).toBe(false);
  });
});
