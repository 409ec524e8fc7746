import { join } from 'node:path';
import { createWorld, manifestV1, type World } from '../../test/support/world.ts';
import type { BenchCase } from '../case.ts';
import { createMachine, type Daemon } from '../machine.ts';
import { highestPeaks } from '../measure/process-tree.ts';
import { interleave, medianOf } from '../measure/rounds.ts';
import { runShell } from '../measure/run.ts';
import { usageOf, usedBetween } from '../measure/usage.ts';
import { smallBundle } from '../payload.ts';
import type { Figure } from '../report.ts';

const REPETITIONS = 20;

interface Check {
  readonly ms: number;
  readonly cpuMs: number;
  readonly requests: number;
  readonly writtenBytes: number;
}

/** Nothing has changed on the branch: what it costs to find that out, beside `git fetch`. */
export const noChange: BenchCase = {
  number: 1,
  title: 'A reconcile that finds nothing to do',
  async measure({ rounds, say }) {
    await using world = await createWorld();
    const commit = await world.release(manifestV1(world, 'small.tar.gz', smallBundle()));
    const machine = createMachine(world, 'daemon');
    const alone = createMachine(world, 'alone');
    await alone.command('reconcile');
    const clone = await cloneBranch(world);
    const daemon = machine.start();
    try {
      await daemon.ready(commit);
      say('reconciles through the daemon, git fetch in a loop, and commands, in turn');
      const checks = await compareChecks(world, daemon, clone, rounds ?? 7);
      const commands = await interleave(rounds ?? 7, {
        behind: () => machine.command('reconcile'),
        alone: () => alone.command('reconcile'),
      });
      const fetch = medianOf(checks.instead, ({ ms }) => ms);
      const command = (what: string, ran: keyof typeof commands): Figure => ({
        what,
        unit: 'ms',
        agent: medianOf(commands[ran], ({ ms }) => ms),
        instead: fetch,
        aim: null,
      });
      const [peak] = highestPeaks(commands.alone.map(({ peaks }) => peaks));
      return {
        number: 1,
        title: noChange.title,
        instead: '`git fetch` of the branch, in a shell loop',
        figures: [
          ...checkFigures(checks),
          command('`edge-agent reconcile`, a daemon runs: time', 'behind'),
          command('`edge-agent reconcile`, no daemon: time', 'alone'),
          { what: 'the same: memory', unit: 'bytes', agent: peak?.bytes ?? 0, instead: null, aim: null },
        ],
        notes: [
          `The daemon is asked over its control socket, ${REPETITIONS} times a round; the figures are of one reconcile.`,
          'Each also checks the folder of the active version; a command without a daemon hashes it.',
        ],
      };
    } finally {
      await daemon.stop();
    }
  },
};

export async function cloneBranch(world: World): Promise<string> {
  const clone = join(world.folder, 'clone');
  await runShell(
    `git clone -q --depth 1 --single-branch --branch tenant/${world.slug} ${world.git.url('builder')} ${clone}`,
  );
  return clone;
}

/** The daemon and git, each `REPETITIONS` times a round. */
export async function compareChecks(world: World, daemon: Daemon, clone: string, rounds: number) {
  await daemon.reconcile();
  return interleave<'agent' | 'instead', Check>(rounds, {
    agent: () =>
      counting(world, async () => {
        const before = usageOf(daemon.pid);
        const started = performance.now();
        for (let times = 0; times < REPETITIONS; times += 1) await daemon.reconcile();
        return { ms: performance.now() - started, ...usedBetween(before, usageOf(daemon.pid)) };
      }),
    instead: () =>
      counting(world, () =>
        runShell(
          `for ((times = 0; times < ${REPETITIONS}; times += 1)); do git -C ${clone} fetch -q origin tenant/${world.slug}; done`,
        ),
      ),
  });
}

async function counting(
  world: World,
  work: () => Promise<{ ms: number; cpuMs: number; writtenBytes: number }>,
): Promise<Check> {
  const before = world.git.requests.length;
  const { ms, cpuMs, writtenBytes } = await work();
  const requests = world.git.requests.length - before;
  return {
    ms: ms / REPETITIONS,
    cpuMs: cpuMs / REPETITIONS,
    requests: requests / REPETITIONS,
    writtenBytes: writtenBytes / REPETITIONS,
  };
}

export function checkFigures(checks: Record<'agent' | 'instead', readonly Check[]>, prefix = ''): Figure[] {
  const figure = (what: string, unit: Figure['unit'], value: (check: Check) => number): Figure => ({
    what: prefix + what,
    unit,
    agent: medianOf(checks.agent, value),
    instead: medianOf(checks.instead, value),
    aim: null,
  });
  return [
    figure('time', 'ms', ({ ms }) => ms),
    figure('CPU', 'ms', ({ cpuMs }) => cpuMs),
    figure('requests', 'count', ({ requests }) => requests),
    figure('bytes written', 'bytes', ({ writtenBytes }) => writtenBytes),
  ];
}
