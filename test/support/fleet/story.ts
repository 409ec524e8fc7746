import type { SeededChance } from './chance.ts';
import type { Machine } from './machine.ts';
import {
  brokenPageRun,
  cancelledRun,
  crashedRun,
  goodRun,
  hostileRun,
  lateRun,
  longRun,
  type RunText,
} from './output.ts';
import type { PublishedRelease } from './publisher.ts';
import {
  browserMissing,
  diskFull,
  flowIn,
  noNetwork,
  outsideWindow,
  quarantined,
  rolledBack,
  type Setback,
  signatureMissing,
  wrongArchitecture,
} from './setbacks.ts';

/** One thing that happens to one agent. */
export interface Scene {
  readonly at: Date;
  play(at: Date): Promise<void>;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const LAST_HOUR_MS = 72 * MINUTE_MS;
/** A status is sent this often when nothing changes. */
const STATUS_EVERY_MS = 5 * MINUTE_MS;

/**
 * The last day of one machine, to `now`: what it applied, the `runs` it reports, and how it came to be as it is.
 */
export function storyOf(
  machine: Machine,
  releases: readonly PublishedRelease[],
  now: Date,
  chance: SeededChance,
  parts: { readonly runs: number; readonly onCommand: (jws: string) => void },
): Scene[] {
  const { member } = machine;
  const { plight } = member;
  if (plight === 'waiting') return [];
  const scenes: Scene[] = [];
  const add = (agoMs: number, play: (at: Date) => Promise<void>) =>
    scenes.push({ at: new Date(now.getTime() - agoMs), play });
  const dawnMs = 24 * HOUR_MS - chance.between(0, 50) * MINUTE_MS;
  const newest = releases.at(-1) as PublishedRelease;
  const agoOf = (release: PublishedRelease) => now.getTime() - release.at.getTime();
  // A tunnel brings a nudge; without one the agent looks once a minute.
  const delayMs = () => (member.tunnel ? chance.between(2, 40) : chance.between(20, 200)) * SECOND_MS;
  const silentMs = plight === 'unreachable' ? chance.between(20, 600) * MINUTE_MS : 0;

  add(dawnMs, (at) => machine.started(at));
  if (member.tunnel)
    add(dawnMs - 1_500, async (at) => {
      await machine.device.connect(parts.onCommand);
      await machine.connected(at);
    });
  const before = releases.filter((release) => agoOf(release) >= dawnMs).at(-1);
  const since = releases.filter((release) => agoOf(release) < dawnMs);
  if (before !== undefined)
    add(dawnMs - chance.between(8, 50) * SECOND_MS, (at) => machine.applies(before, at));
  for (const release of since) {
    if (release === newest && !reachesNewest(machine)) continue;
    if (agoOf(release) <= silentMs) continue;
    add(Math.max(0, agoOf(release) - delayMs()), (at) => machine.applies(release, at));
  }

  const end = Math.max(silentMs, 30 * SECOND_MS);
  for (let count = 0; count < parts.runs; count += 1) {
    const agoMs = end + (dawnMs - end - 20 * MINUTE_MS) * ((count + chance.uniform()) / parts.runs);
    const text = textFor(machine, chance, count);
    add(agoMs, async (at) => {
      const flow = flowFor(machine, chance, text);
      const trigger = chance.pick(['schedule', 'schedule', 'schedule', 'command', 'local'] as const);
      if (flow === null) return;
      // Live logs of yesterday would only cost time to send.
      const live = agoMs < 3 * HOUR_MS;
      const tookMs = chance.between(4, 240) * SECOND_MS;
      await machine.runs({ flow, trigger, text: text(flow), tookMs, live }, at);
    });
  }

  // Between two scenes hours may pass; within the last one nobody is missed but those who are.
  for (
    let agoMs = LAST_HOUR_MS;
    agoMs > end + 10 * MINUTE_MS && plight !== 'unreachable';
    agoMs -= 9 * MINUTE_MS
  )
    add(agoMs, (at) => machine.reports(at));
  const changeMs = chance.between(3, 12) * MINUTE_MS;
  if (plight === 'copied')
    for (const minutes of [9, 7, 5, 3])
      add(minutes * MINUTE_MS, async (at) => {
        machine.device.isCopied();
        await machine.reports(at);
      });
  const fate = fateOf(machine, newest, chance, now);
  if (fate !== null) add(fate.agoMs ?? changeMs, fate.play);
  const lastMs =
    plight === 'unreachable' ? silentMs : chance.between(0, STATUS_EVERY_MS / SECOND_MS) * SECOND_MS;
  if (fate === null || lastMs < (fate.agoMs ?? changeMs)) add(lastMs, (at) => machine.reports(at));
  return scenes;
}

const REACHES: readonly string[] = [
  'ready',
  'service-broken',
  'suspended',
  'held',
  'failing-runs',
  'revoked',
  'copied',
];
const reachesNewest = ({ member }: Machine) => REACHES.includes(member.plight);

/** What sets the plight apart, at the end of the day. */
function fateOf(
  machine: Machine,
  newest: PublishedRelease,
  chance: SeededChance,
  now: Date,
): { readonly agoMs?: number; readonly play: (at: Date) => Promise<void> } | null {
  const { member, device } = machine;
  const first = newest.flows[0] as PublishedRelease['flows'][number];
  const flow = (id: string) => flowIn(newest, id) ?? first;
  const setBack = (setback: Setback, agoMs?: number) => ({
    ...(agoMs === undefined ? {} : { agoMs }),
    play: (at: Date) => machine.isSetBack(newest, setback, at),
  });
  switch (member.plight) {
    case 'quarantined':
      return setBack(quarantined(flow('crm-sync')));
    case 'signature-missing':
      return setBack(signatureMissing());
    case 'no-network':
      return setBack(noNetwork(member.tenant.slug), 4 * MINUTE_MS);
    case 'disk-full':
      return setBack(diskFull(flow('daily-report')));
    case 'outside-window':
      return setBack(outsideWindow(flow('stock-api'), now));
    case 'rolled-back':
      return setBack(rolledBack(flow('crm-sync'), 'v1.0.3'));
    case 'browser-missing':
      return setBack(browserMissing(flow('invoice-bot')));
    case 'wrong-arch':
      return setBack(wrongArchitecture(flow('stock-api')));
    case 'fetching': {
      const phase = chance.pick(['fetching', 'unpacking', 'preparing', 'checking'] as const);
      return {
        agoMs: chance.between(5, 80) * SECOND_MS,
        play: (at) => machine.isAt(newest, first.id, phase, at),
      };
    }
    case 'service-broken':
      return newest.flows.some(({ id }) => id === 'stock-api')
        ? { play: (at) => machine.serviceBreaks('stock-api', at) }
        : setBack(quarantined(first));
    case 'suspended':
      return {
        agoMs: chance.between(30, 300) * MINUTE_MS,
        play: (at) =>
          machine.suspends(
            {
              by: 'camille.moreau',
              why: chance.pick([
                'Stock-taking until tonight',
                'Drill of the fire brigade',
                'New tills are being fitted',
              ]),
              until: chance.uniform() < 0.5 ? null : new Date(now.getTime() + 6 * HOUR_MS).toISOString(),
            },
            at,
          ),
      };
    case 'held':
      return {
        agoMs: 9 * MINUTE_MS,
        play: (at) =>
          machine.rollsBack('crm-sync', 'camille.moreau', 'Pages of 500 lose the last customer', at),
      };
    case 'copied':
      return null;
    case 'unreachable':
      return device.connected ? { agoMs: 20 * MINUTE_MS, play: () => device.disconnect() } : null;
    case 'ready':
    case 'failing-runs':
    case 'pending':
    case 'waiting':
    case 'revoked':
      return null;
  }
}

/** Which text a run leaves: mostly good ones, and for some machines the one that they are there for. */
function textFor({ member }: Machine, chance: SeededChance, count: number): (flow: string) => RunText {
  if (member.tenant.slug === 'odd-strings' && count % 2 === 0) return hostileRun;
  if (member.plight === 'failing-runs') return count % 3 === 2 ? () => crashedRun(chance) : brokenPageRun;
  if (member.plight === 'ready' && count === 0 && member.tunnel && chance.uniform() < 0.1) return longRun;
  const dice = chance.uniform();
  if (dice < 0.03) return () => crashedRun(chance);
  if (dice < 0.04) return lateRun;
  if (dice < 0.05) return cancelledRun;
  return (flow) => goodRun(flow, chance);
}

/** A flow that the machine has; the one with the browser for what a browser leaves. */
function flowFor(machine: Machine, chance: SeededChance, text: (flow: string) => RunText): string | null {
  const { applied, member } = machine;
  const there = (applied?.flows ?? []).filter(
    ({ os, runtime }) => runtime !== 'service' && (os === null || os === member.os),
  );
  if (there.length === 0) return null;
  if (text === brokenPageRun && there.some(({ id }) => id === 'invoice-bot')) return 'invoice-bot';
  return chance.pick(there).id;
}
