import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createWorld, manifestV1 } from '../../test/support/world.ts';
import type { BenchCase } from '../case.ts';
import { createMachine } from '../machine.ts';
import { residentBytes, watchTree } from '../measure/process-tree.ts';
import { usageOf, usedBetween } from '../measure/usage.ts';
import { smallBundle } from '../payload.ts';
import { MIB } from '../report.ts';
import { cloneBranch } from './no-change.ts';

/** A daemon with one flow that nobody asks anything of: it looks at the branch every minute. */
export const idle: BenchCase = {
  number: 4,
  title: 'An idle daemon',
  async measure({ idleSeconds, say }) {
    await using world = await createWorld();
    const commit = await world.release(manifestV1(world, 'small.tar.gz', smallBundle()));
    const clone = await cloneBranch(world);
    const daemon = createMachine(world, 'idle').start();
    const watch = watchTree(daemon.pid);
    // The group is its own, so that its sleep ends with it.
    const loop = spawn(
      'bash',
      ['-c', `while :; do git -C ${clone} fetch -q origin tenant/${world.slug}; sleep 60; done`],
      {
        stdio: 'ignore',
        detached: true,
      },
    );
    try {
      await daemon.ready(commit);
      const [highest] = watch.stop();
      const before = { agent: usageOf(daemon.pid), instead: usageOf(loop.pid as number) };
      say(`watching for ${idleSeconds} s`);
      await sleep(idleSeconds * 1_000);
      const minutes = idleSeconds / 60;
      const agent = usedBetween(before.agent, usageOf(daemon.pid));
      const instead = usedBetween(before.instead, usageOf(loop.pid as number));
      return {
        number: 4,
        title: idle.title,
        instead: '`while :; do git fetch; sleep 60; done`',
        figures: [
          {
            what: `memory after ${idleSeconds >= 60 ? `${Math.round(minutes)} min` : `${idleSeconds} s`}`,
            unit: 'bytes',
            agent: residentBytes(daemon.pid) ?? Number.NaN,
            instead: residentBytes(loop.pid as number),
            aim: { kind: 'most', value: 80 * MIB },
          },
          {
            what: 'memory, highest until Ready',
            unit: 'bytes',
            agent: highest?.bytes ?? Number.NaN,
            instead: null,
            aim: null,
          },
          {
            what: 'CPU a minute',
            unit: 'ms',
            agent: agent.cpuMs / minutes,
            instead: instead.cpuMs / minutes,
            aim: null,
          },
          {
            what: 'bytes written a minute',
            unit: 'bytes',
            agent: agent.writtenBytes / minutes,
            instead: instead.writtenBytes / minutes,
            aim: null,
          },
        ],
        notes: idleSeconds >= 600 ? [] : ['The aim is meant after ten minutes: `npm run bench -- 4 --full`.'],
      };
    } finally {
      watch.stop();
      process.kill(-(loop.pid as number));
      await once(loop, 'exit');
      await daemon.stop();
    }
  },
};
