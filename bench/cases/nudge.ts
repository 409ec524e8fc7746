import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ConsoleWorld,
  createConsoleWorld,
  type EnrolledMachine,
} from '../../test/support/console-world.ts';
import type { BenchCase } from '../case.ts';
import { PROGRAM } from '../machine.ts';
import { medianOf } from '../measure/rounds.ts';
import { flowBundle } from '../payload.ts';

const ROUNDS = 15;
/** Each may take a whole minute. */
const POLLS = 3;
const LOOK_EVERY_MS = 2;
const WITHIN_MS = 90_000;

/** A push reaches a machine that is connected, beside one that looks at the branch every minute. */
export const nudge: BenchCase = {
  number: 7,
  title: 'From a push to the active version, a bundle of 1 MB',
  async measure({ rounds, say }) {
    await using world = await createConsoleWorld({ main: PROGRAM });
    let version = 0;
    const release = async () => {
      version += 1;
      const bundle = flowBundle(1_000, version);
      const url = await world.upload(`flow-${version}.tar.gz`, bundle);
      const { sha256 } = bundle;
      const flow = { id: 'flow', version: `v${version}`, edge_url: url, sha256, runtime: 'python' };
      const arrived = arrival(world);
      const { commit, pushedAt } = await world.release([flow]);
      return { commit, pushedAt, arrivedAt: await arrived };
    };
    await release();
    const connected = await world.enrol('connected');
    const polling = await world.enrol('polling');
    await polling.adjust([
      [['tunnel'], undefined],
      [['source', 'interval'], '1m'],
    ]);
    const daemons = [connected.start(), polling.start()];
    try {
      await Promise.all([connected, polling].map((machine) => active(machine, 'v1')));
      await sleep(2_000);
      const times: { push: number; arrival: number }[] = [];
      const polled: number[] = [];
      say('pushes to a connected machine');
      for (let round = 0; round < (rounds ?? ROUNDS); round += 1) {
        const { pushedAt, arrivedAt } = await release();
        const at = await active(connected, `v${version}`);
        times.push({ push: at - pushedAt, arrival: at - arrivedAt });
        // nudges are passed on once a second at most
        await sleep(1_500);
      }
      say('the same by polling: each takes up to a minute');
      for (let round = 0; round < Math.min(rounds ?? POLLS, POLLS); round += 1) {
        // somewhere within its minute, as pushes come
        await sleep(((round * 37 + 11) % 60) * 1_000 * 0.5);
        const { arrivedAt } = await release();
        polled.push((await active(polling, `v${version}`)) - arrivedAt);
      }
      const instead = medianOf(polled, (ms) => ms);
      return {
        number: 7,
        title: nudge.title,
        instead: 'the same agent without a tunnel, `source.interval: 1m`',
        figures: [
          {
            what: 'from the commit on the branch to active',
            unit: 'ms',
            agent: medianOf(times, ({ arrival: ms }) => ms),
            instead,
            aim: { kind: 'most', value: 500 },
          },
          {
            what: 'from the start of `git push` to active',
            unit: 'ms',
            agent: medianOf(times, ({ push }) => push),
            instead: null,
            aim: null,
          },
        ],
        notes: [
          'The commit is on the branch when the console’s git has taken the push; the machine is told at once.',
          `${times.length} pushes, the median of them; ${polled.length} for the polling machine.`,
        ],
      };
    } finally {
      await Promise.all(daemons.map((daemon) => daemon.stop()));
    }
  },
};

async function arrival(world: ConsoleWorld): Promise<number> {
  await world.running.console.notices.push.waitFor(() => true, AbortSignal.timeout(WITHIN_MS));
  return performance.now();
}

/** When the pointer names the version. */
async function active(machine: EnrolledMachine, version: string): Promise<number> {
  const pointer = join(machine.cache, 'acme', 'current.json');
  const until = performance.now() + WITHIN_MS;
  while (performance.now() < until) {
    if (readText(pointer).includes(`"version": "${version}"`)) return performance.now();
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(`expected ${version} to become active within ${WITHIN_MS} ms, found ${readText(pointer)}`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
