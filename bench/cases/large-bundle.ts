import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createWorld, manifestV1, type World } from '../../test/support/world.ts';
import type { BenchCase } from '../case.ts';
import { createMachine } from '../machine.ts';
import { highestPeaks, type Peak, watchTree } from '../measure/process-tree.ts';
import { interleave, medianOf } from '../measure/rounds.ts';
import { runShell } from '../measure/run.ts';
import { largeBundle, sameUnderAnotherDigest, smallBundle } from '../payload.ts';
import { MIB } from '../report.ts';

interface Applied {
  readonly ms: number;
  readonly peaks: readonly Peak[];
}

/** From a commit that names a bundle of 100 MB to the active version. */
export const largeBundleApplied: BenchCase = {
  number: 2,
  title: 'Commit to active, a bundle of 100 MB with 2,000 files',
  async measure({ rounds, say }) {
    await using world = await createWorld();
    say('making a bundle of 100 MB');
    const bundle = largeBundle();
    // The server keeps what it has served: the name is used again.
    const serve = (round: number) => sameUnderAnotherDigest(bundle, round + 1);
    let served = 0;
    const release = () => world.release(manifestV1(world, 'large.tar.gz', serve((served += 1))));

    say('the daemon, the command and curl, in turn');
    const results = await interleave<'daemon' | 'command' | 'instead', Applied>(rounds ?? 5, {
      daemon: (round) => throughDaemon(world, `daemon-${round}`, release),
      command: async (round) => {
        const machine = createMachine(world, `command-${round}`);
        await release();
        const { ms, peaks } = await machine.command('reconcile');
        rmSync(join(machine.folder, 'EdgeFlows'), { recursive: true });
        return { ms, peaks };
      },
      instead: (round) =>
        throughShell(world, `shell-${round}`, world.serve('large.tar.gz', serve((served += 1)))),
    });
    const instead = medianOf(results.instead, ({ ms }) => ms);
    const peaks = highestPeaks([...results.daemon, ...results.command].map((applied) => applied.peaks));
    return {
      number: 2,
      title: largeBundleApplied.title,
      instead: '`curl | tee >(sha256sum) | tar xz; sync -f`',
      figures: [
        {
          what: 'daemon, nudged: time',
          unit: 'ms',
          agent: medianOf(results.daemon, ({ ms }) => ms),
          instead,
          aim: { kind: 'ratio', value: 1 },
        },
        {
          what: '`edge-agent reconcile`, no daemon, first sync: time',
          unit: 'ms',
          agent: medianOf(results.command, ({ ms }) => ms),
          instead,
          aim: null,
        },
        ...peaks
          .filter(({ name }) => name.startsWith('internal-') || name === 'agent' || name === 'node')
          .map(({ name, bytes }) => ({
            what: `memory: ${name === 'node' ? 'command' : name}`,
            unit: 'bytes' as const,
            agent: bytes,
            instead: null,
            aim: { kind: 'most', value: 150 * MIB } as const,
          })),
      ],
      notes: [
        `${(bundle.bytes.length / 1e6).toFixed(0)} MB compressed. The agent asks git, verifies the signature and the SHA-256 before it unpacks, lists the archive first, and makes every file durable.`,
        'The shell starts to unpack before the hash is known, and is given the URL.',
      ],
    };
  },
};

async function throughDaemon(world: World, name: string, release: () => Promise<string>): Promise<Applied> {
  const before = await world.release(manifestV1(world, 'small.tar.gz', smallBundle()));
  const machine = createMachine(world, name);
  const daemon = machine.start();
  try {
    await daemon.ready(before);
    await release();
    const watch = watchTree(daemon.pid);
    const ms = await daemon.reconcile();
    return { ms, peaks: watch.stop() };
  } finally {
    await daemon.stop();
    rmSync(join(machine.folder, 'EdgeFlows'), { recursive: true });
  }
}

async function throughShell(world: World, name: string, url: string): Promise<Applied> {
  const folder = join(world.folder, name);
  mkdirSync(folder);
  const { ms } = await runShell(
    `curl -sSf ${url} | tee >(sha256sum > ${folder}.sha256) | tar xz -C ${folder}; sync -f ${folder}`,
  );
  rmSync(folder, { recursive: true });
  return { ms, peaks: [] };
}
