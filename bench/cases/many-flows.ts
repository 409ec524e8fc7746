import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createWorld, flowV2, v2, type World } from '../../test/support/world.ts';
import type { BenchCase } from '../case.ts';
import { createMachine } from '../machine.ts';
import { highestPeaks, type Peak, watchTree } from '../measure/process-tree.ts';
import { interleave, medianOf } from '../measure/rounds.ts';
import { runShell } from '../measure/run.ts';
import { flowBundle } from '../payload.ts';
import { checkFigures, cloneBranch, compareChecks } from './no-change.ts';

const FLOWS = 1_000;
/** The daemon hashes what is active once, 5 s after it started; what is measured afterwards is the usual check. */
const AFTER_FIRST_DEEP_CHECK_MS = 7_000;

interface Synced {
  readonly ms: number;
  readonly peaks: readonly Peak[];
}

export const manyFlows: BenchCase = {
  number: 3,
  title: 'A thousand flows of 10 KB',
  async measure({ rounds, say }) {
    await using world = await createWorld();
    say(`making ${FLOWS} bundles`);
    const flows = Array.from({ length: FLOWS }, (_, index) =>
      flowV2(world, `flow-${index}`, 'v1', flowBundle(10, index)),
    );
    const commit = await world.release(v2(...flows));
    const list = join(world.folder, 'flows.txt');
    writeFileSync(
      list,
      flows
        .map((flow) => Object.values(flow))
        .map(([id, , url]) => `${id} ${url}\n`)
        .join(''),
    );

    say('first syncs, in turn with the shell');
    const results = await interleave<'agent' | 'instead', Synced>(rounds ?? 3, {
      agent: async (round) => {
        const daemon = createMachine(world, `daemon-${round}`).start();
        const watch = watchTree(daemon.pid);
        try {
          return { ms: await daemon.ready(commit), peaks: watch.stop() };
        } finally {
          watch.stop();
          await daemon.stop();
        }
      },
      instead: (round) => throughShell(world, `shell-${round}`, list),
    });

    say('reconciles that find nothing to do, in turn with git fetch');
    const clone = await cloneBranch(world);
    const daemon = createMachine(world, 'daemon-0').start();
    try {
      await daemon.ready(commit);
      await sleep(AFTER_FIRST_DEEP_CHECK_MS);
      const checks = await compareChecks(world, daemon, clone, rounds ?? 5);
      const [time, ...rest] = checkFigures(checks, 'nothing to do: ');
      return {
        number: 3,
        title: manyFlows.title,
        instead:
          '`git clone`, then `xargs -P 8` over `curl | tee >(sha256sum) | tar xz`, then `sync -f`; `git fetch` when nothing changed',
        figures: [
          {
            what: 'start to Ready, first sync: time',
            unit: 'ms',
            agent: medianOf(results.agent, ({ ms }) => ms),
            instead: medianOf(results.instead, ({ ms }) => ms),
            aim: { kind: 'most', value: 15_000 },
          },
          ...(time === undefined ? [] : [{ ...time, aim: { kind: 'most', value: 150 } as const }]),
          ...rest,
          ...highestPeaks(results.agent.map(({ peaks }) => peaks))
            .filter(({ name }) => name.startsWith('internal-') || name === 'agent')
            .map(({ name, bytes }) => ({
              what: `memory: ${name}`,
              unit: 'bytes' as const,
              agent: bytes,
              instead: null,
              aim: null,
            })),
        ],
        notes: ['Flux v2.9 publishes 4 min 13 s for 1,000 objects, on other machines and doing other work.'],
      };
    } finally {
      await daemon.stop();
    }
  },
};

async function throughShell(world: World, name: string, list: string): Promise<Synced> {
  const folder = join(world.folder, name);
  mkdirSync(folder);
  const one = 'mkdir -p flows/$0; curl -sSf $1 | tee >(sha256sum > flows/$0.sha256) | tar xz -C flows/$0';
  const { ms } = await runShell(
    `git clone -q --depth 1 --single-branch --branch tenant/${world.slug} ${world.git.url('builder')} clone
     xargs -P 8 -n 2 bash -c '${one}' < ${list}
     sync -f .`,
    { cwd: folder },
  );
  return { ms, peaks: [] };
}
