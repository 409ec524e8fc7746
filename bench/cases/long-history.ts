import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createWorld, manifestV1, type World } from '../../test/support/world.ts';
import type { BenchCase, BenchOptions } from '../case.ts';
import { createMachine } from '../machine.ts';
import { highestPeaks, type Peak, watchTree } from '../measure/process-tree.ts';
import { interleave, medianOf } from '../measure/rounds.ts';
import { runShell } from '../measure/run.ts';
import { smallBundle } from '../payload.ts';
import { type Figure, MIB } from '../report.ts';
import { checkFigures, cloneBranch, compareChecks } from './no-change.ts';

const COMMITS = 10_000;
const DAY_S = 86_400;

interface Synced {
  readonly ms: number;
  readonly peaks: readonly Peak[];
}

/** A branch that builds have been added to for long, each with its tag. */
export const longHistory: BenchCase = {
  number: 6,
  title: 'A branch of 10,000 commits with 10,000 tags',
  async measure(options) {
    const year = await measureHistory(365, 'over a year', options);
    const month = await measureHistory(29, 'in 29 days', options);
    return {
      number: 6,
      title: longHistory.title,
      instead: '`git clone --single-branch` of the branch; `git fetch` when nothing changed',
      figures: [...year, ...month],
      notes: [
        'The agent keeps the history of `retention.keep_days` (30), and the tags in it: of a year that is about 820 commits, of 29 days all of them.',
        'First sync is from the start of the process until Ready; the clone is the whole history.',
      ],
    };
  },
};

async function measureHistory(days: number, when: string, { rounds, say }: BenchOptions): Promise<Figure[]> {
  await using world = await createWorld();
  say(`making a branch of ${COMMITS} commits ${when}`);
  const url = addHistory(world, days);
  const commit = await world.release(manifestV1(world, 'small.tar.gz', smallBundle()));
  say('first syncs, in turn with git clone');
  const results = await interleave<'agent' | 'instead', Synced>(rounds ?? 5, {
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
    instead: async (round) => {
      const folder = join(world.folder, `shell-${round}`);
      const ran = await runShell(
        `git clone -q --single-branch --branch tenant/${world.slug} ${url} ${folder}; sync -f ${folder}`,
      );
      rmSync(folder, { recursive: true });
      return ran;
    },
  });
  const insteadPeak = highestPeaks(results.instead.map(({ peaks }) => peaks))[0]?.bytes ?? null;
  const figures: Figure[] = [
    {
      what: `${when}, first sync: time`,
      unit: 'ms',
      agent: medianOf(results.agent, ({ ms }) => ms),
      instead: medianOf(results.instead, ({ ms }) => ms),
      aim: { kind: 'most', value: 1_000 },
    },
    ...highestPeaks(results.agent.map(({ peaks }) => peaks))
      .filter(({ name }) => name.startsWith('internal-') || name === 'agent')
      .map(
        ({ name, bytes }): Figure => ({
          what: `${when}, memory: ${name}`,
          unit: 'bytes',
          agent: bytes,
          instead: name === 'internal-fetch' ? insteadPeak : null,
          aim: { kind: 'most', value: 150 * MIB },
        }),
      ),
  ];
  say('reconciles that find nothing to do, in turn with git fetch');
  const clone = await cloneBranch(world);
  const daemon = createMachine(world, 'daemon-0').start();
  try {
    await daemon.ready(commit);
    return [
      ...figures,
      ...checkFigures(await compareChecks(world, daemon, clone, rounds ?? 5), `${when}, nothing to do: `),
    ];
  } finally {
    await daemon.stop();
  }
}

/** Commits at even distances until now, each changing the manifest and tagged `bld/<n>`; the URL of the repository. */
function addHistory(world: World, days: number): string {
  const now = Math.floor(Date.now() / 1_000);
  const stream: string[] = [];
  const ref = `refs/heads/tenant/${world.slug}`;
  for (let index = 1; index <= COMMITS; index += 1) {
    const at = now - Math.floor(((COMMITS - index + 1) * days * DAY_S) / COMMITS);
    const message = `Build ${index}`;
    const content = `{"build": ${index}}`;
    stream.push(
      index === 1 ? `reset ${ref}\n` : '',
      `commit ${ref}\nmark :${index}\ncommitter Builder <builder@example.invalid> ${at} +0000\n`,
      `data ${message.length}\n${message}\n`,
      index === 1 ? '' : `from :${index - 1}\n`,
      `M 100644 inline manifest.json\ndata ${content.length}\n${content}\n`,
      `reset refs/tags/bld/${index}\nfrom :${index}\n\n`,
    );
  }
  world.repository.fastImport(stream.join(''));
  // As every forge does: 10,000 files of one ref each would cost the server, and so both of us, most of the time.
  world.repository.git('pack-refs', '--all');
  return world.git.url('builder');
}
