// An agent's beginning: asks systemd for a scope, and prints where it is before and after, and what a run's group there would be.
import { readFileSync } from 'node:fs';
import { createCgroup, ownCgroup } from '../../executors/cgroup.ts';
import { makeRoom } from '../../executors/cgroup-room.ts';
import { machineLimits } from '../../executors/run-limits.ts';
import { enterScope } from '../../executors/systemd-scope.ts';

const place = () => /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? null;
const before = place();
const usable = ownCgroup() !== null;
const entered = await enterScope(process.env);
const own = ownCgroup();
const room = own !== null && (await makeRoom(own));
const group = own === null ? null : await createCgroup(own, `scope-agent-${process.pid}`, machineLimits());
await group?.remove();
process.stdout.write(
  `${JSON.stringify({ pid: process.pid, before, usable, entered, after: place(), room, group: group !== null })}\n`,
);
