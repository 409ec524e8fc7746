import { setTimeout as sleep } from 'node:timers/promises';
import type { CastRelease } from './cast.ts';
import type { SeededChance } from './chance.ts';
import { printSlowly } from './commands.ts';
import type { Machine } from './machine.ts';
import { brokenPageRun, crashedRun, goodRun } from './output.ts';
import type { PublishedRelease, Publisher } from './publisher.ts';
import { noNetwork } from './setbacks.ts';

/** What is made up of, as far as it changes. */
export interface GoingOn {
  readonly machines: readonly Machine[];
  readonly publishers: ReadonlyMap<string, Publisher>;
  /** The newest last. */
  readonly releases: ReadonlyMap<string, PublishedRelease[]>;
  readonly chance: SeededChance;
  readonly obey: (machine: Machine) => (jws: string) => void;
  readonly say: (text: string) => void;
}

/** Each machine that is there says how it is within so long: half of what makes the console miss it. */
const WORD_EVERY_MS = 4 * 60_000;
const CHANGE_EVERY_MS = 1_500;
/** A tenant whose release is everywhere gets the next one after so many changes, about. */
const RELEASE_EVERY = 200;

const SILENT: readonly string[] = ['waiting', 'unreachable', 'revoked'];
const isThere = ({ member }: Machine) => !SILENT.includes(member.plight);

/** Keeps the machines that are there from being missed, until the signal. */
export async function keepInTouch({ machines, say }: GoingOn, signal: AbortSignal): Promise<void> {
  const there = machines.filter(isThere);
  while (there.length > 0) {
    for (const machine of there) {
      await sleep(WORD_EVERY_MS / there.length, undefined, { signal, ref: false });
      await machine.reports(new Date()).catch((error: unknown) => say(String(error)));
    }
  }
}

/** Something happens to some machine every second and a half, until the signal. */
export async function goOn(world: GoingOn, signal: AbortSignal): Promise<void> {
  const { chance, say } = world;
  const there = world.machines.filter(isThere);
  while (there.length > 0) {
    await sleep(CHANGE_EVERY_MS, undefined, { signal, ref: false });
    const machine = chance.pick(there);
    // Not waited for: a run takes seconds, and meanwhile others go on.
    change(world, machine, signal).catch((error: unknown) => {
      if (!signal.aborted) say(`${machine.member.hostname.slice(0, 40)}: ${String(error)}`);
    });
  }
}

async function change(world: GoingOn, machine: Machine, signal: AbortSignal): Promise<void> {
  const { chance, releases, publishers } = world;
  const { slug } = machine.member.tenant;
  const newest = releases.get(slug)?.at(-1) as PublishedRelease;
  const behind = machine.applied?.revision !== newest.revision && CAN_FOLLOW.includes(machine.member.plight);
  const dice = chance.uniform();
  if (behind && dice < 0.5) {
    const flow = newest.flows[0] as PublishedRelease['flows'][number];
    for (const phase of ['fetching', 'unpacking', 'checking'] as const) {
      await machine.isAt(newest, flow.id, phase, new Date());
      await sleep(1_500, undefined, { signal, ref: false });
    }
    return machine.applies(newest, new Date());
  }
  if (dice < 0.62) return runSomething(world, machine, signal);
  if (dice < 0.7 && machine.member.tunnel) {
    if (machine.device.connected) return machine.device.disconnect();
    await machine.device.connect(world.obey(machine));
    return machine.connected(new Date());
  }
  if (dice < 0.76 && machine.member.plight === 'ready' && !behind) {
    await machine.isSetBack(newest, noNetwork(slug), new Date());
    await sleep(20_000, undefined, { signal, ref: false });
    return machine.applies(newest, new Date());
  }
  if (dice < 0.76 + 1 / RELEASE_EVERY) {
    const publisher = publishers.get(slug) as Publisher;
    const next = await publisher.make(nextAfter(newest), new Date());
    releases.get(slug)?.push(next);
    return publisher.push(next);
  }
  return machine.reports(new Date());
}

/** Others keep to what they are shown for. */
const CAN_FOLLOW: readonly string[] = [
  'ready',
  'fetching',
  'pending',
  'failing-runs',
  'outside-window',
  'copied',
];

/** A patch of its first flow. */
function nextAfter({ seq, flows, commit }: PublishedRelease): CastRelease {
  const versions = Object.fromEntries(flows.map(({ id, version }) => [id, version]));
  const [first] = flows;
  if (first !== undefined) versions[first.id] = `v2.0.${seq + 1}`;
  return { seq: seq + 1, subject: `Follow up on "${commit.subject.slice(0, 40)}"`, agoMs: 0, versions };
}

async function runSomething({ chance }: GoingOn, machine: Machine, signal: AbortSignal): Promise<void> {
  const { applied, member } = machine;
  const flows = (applied?.flows ?? []).filter(
    ({ os, runtime }) => runtime !== 'service' && (os === null || os === member.os),
  );
  if (flows.length === 0) return;
  const { id } = chance.pick(flows);
  const bad = member.plight === 'failing-runs' ? 0.8 : 0.06;
  const text =
    chance.uniform() < bad
      ? id === 'invoice-bot'
        ? brokenPageRun()
        : crashedRun(chance)
      : goodRun(id, chance);
  const run = await machine.begins({ flow: id, trigger: 'schedule' }, new Date());
  if (!(await printSlowly(run, text, signal))) return;
  await run.ends({ ...text, stdout: '' }, new Date());
}
