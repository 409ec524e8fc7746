import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createWorld, manifestV1 } from '../../test/support/world.ts';
import type { BenchCase } from '../case.ts';
import { createMachine, type Machine } from '../machine.ts';
import { interleave, medianOf } from '../measure/rounds.ts';
import { runShell } from '../measure/run.ts';
import { smallBundle } from '../payload.ts';

export const start: BenchCase = {
  number: 5,
  title: 'Start to Ready',
  async measure({ rounds, say }) {
    await using world = await createWorld();
    const commit = await world.release(manifestV1(world, 'small.tar.gz', smallBundle()));
    const url = `${world.artifacts.origin}/edge-artifacts/small.tar.gz`;
    const known = createMachine(world, 'known');
    await known.command('reconcile');
    const untilReady = async (machine: Machine) => {
      const daemon = machine.start();
      try {
        return await daemon.ready(commit);
      } finally {
        await daemon.stop();
      }
    };
    say('a new machine, a known one and the shell, in turn');
    const results = await interleave<'fresh' | 'again' | 'instead' | 'version', number>(rounds ?? 9, {
      fresh: (round) => untilReady(createMachine(world, `fresh-${round}`)),
      again: () => untilReady(known),
      version: async () => (await known.command('version')).ms,
      instead: async (round) => {
        const folder = join(world.folder, `shell-${round}`);
        mkdirSync(folder);
        const clone = `git clone -q --depth 1 --single-branch --branch tenant/${world.slug} ${world.git.url('builder')} clone`;
        const script = `${clone}; mkdir flow; curl -sSf ${url} | tee >(sha256sum > sha256) | tar xz -C flow; sync -f .`;
        return (await runShell(script, { cwd: folder })).ms;
      },
    });
    const middle = (name: keyof typeof results) => medianOf(results[name], (ms) => ms);
    return {
      number: 5,
      title: start.title,
      instead: '`git clone --depth 1`, then `curl | tee >(sha256sum) | tar xz; sync -f`',
      figures: [
        {
          what: 'a new machine, first version active: time',
          unit: 'ms',
          agent: middle('fresh'),
          instead: middle('instead'),
          aim: { kind: 'most', value: 1_000 },
        },
        {
          what: 'a known machine, nothing to do: time',
          unit: 'ms',
          agent: middle('again'),
          instead: null,
          aim: null,
        },
        {
          what: '`edge-agent version`: time',
          unit: 'ms',
          agent: middle('version'),
          instead: null,
          aim: null,
        },
      ],
      notes: ['From the start of the process until the agent says Ready over its control socket.'],
    };
  },
};
