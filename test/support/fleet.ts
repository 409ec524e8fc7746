import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { type Console, createConsole } from '../../console/server.ts';
import { castFleet, TENANTS } from './fleet/cast.ts';
import { seededChance } from './fleet/chance.ts';
import { obedienceOf } from './fleet/commands.ts';
import { enrolDevice } from './fleet/device.ts';
import { goOn, keepInTouch } from './fleet/going-on.ts';
import { createMachine, type Machine } from './fleet/machine.ts';
import { type MovingClock, movingClock } from './fleet/moving-clock.ts';
import { ask } from './fleet/operator.ts';
import { invite, PEOPLE } from './fleet/people.ts';
import { addPublisher, type PublishedRelease, type Publisher } from './fleet/publisher.ts';
import { type Scene, storyOf } from './fleet/story.ts';

export interface FleetOptions {
  /** Where the console keeps its data, and publishers theirs; it stays when the fleet ends. */
  readonly folder: string;
  readonly agents: number;
  /** 0: any free one. */
  readonly port?: number;
  readonly host?: string;
  /** The same seed is the same fleet, but for keys and ids. */
  readonly seed?: number;
  /** Goes on after the past: runs, statuses, the rollout, agents that go and come. */
  readonly live?: boolean;
  /** Where the built pages are; without it, where the build puts them. */
  readonly pages?: () => string | null;
  /** Runs that each machine reports of its last day; fewer for a large fleet unless it is given. */
  readonly runs?: number;
  /** What is going on, for a person who waits. */
  readonly say?: (text: string) => void;
}

/** A console and the made-up agents of three tenants, which speak with it as real ones do. */
export interface Fleet {
  readonly console: Console;
  readonly url: string;
  /** Admin of everything. */
  readonly apiKey: string;
  readonly machines: readonly Machine[];
  readonly publishers: ReadonlyMap<string, Publisher>;
  readonly releases: ReadonlyMap<string, readonly PublishedRelease[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

const DAY_MS = 86_400_000;
const PAST_MS = 30 * DAY_MS;
/** What happens within so long happens together: agents do not wait for one another. */
const TOGETHER_MS = 3 * 60_000;
const runsEach = (agents: number) => (agents <= 120 ? 8 : agents <= 600 ? 3 : 1);

/**
 * Enrols `agents` machines at a console of its own and lets them live their last day: everything comes in by the agents' own
 * API, signed by their own keys, and the console's clock is moved on from one thing to the next. About 15 s for 60 agents.
 */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { folder, agents, port = 0, host = '127.0.0.1', seed = 1, live = false, say = () => {} } = options;
  const chance = seededChance(seed);
  const clock = movingClock(new Date(Date.now() - PAST_MS));
  await mkdir(folder, { recursive: true });
  const server = await createConsole({
    dataDirectory: join(folder, 'data'),
    host,
    port,
    log: pino({ level: 'error' }, pino.destination({ dest: 2, sync: true })),
    clock,
    ...(options.pages === undefined ? {} : { pages: options.pages }),
    // Days are lived in seconds here.
    limits: {
      agentBurst: 1e6,
      agentPerSecond: 1e6,
      strangerBurst: 1e6,
      strangerPerSecond: 1e6,
      tunnelBurst: 1e6,
    },
  });
  const leaving = new AbortController();
  const machines: Machine[] = [];
  const obey = (machine: Machine) => obedienceOf(machine, chance, leaving.signal);
  const close = async () => {
    leaving.abort();
    await Promise.all(machines.map(({ device }) => device.disconnect()));
    await server.close();
  };
  try {
    const url = await server.listen();
    const apiKey = await server.admin.newApiKey('made-up fleet');
    const operator = { url, apiKey };
    const now = new Date();
    const members = castFleet(agents, chance);
    const tenants = TENANTS.filter((tenant) => members.some((member) => member.tenant === tenant));
    const publishers = new Map<string, Publisher>();
    const releases = new Map<string, PublishedRelease[]>();
    const scenes: (Scene & { readonly of: object })[] = [];
    for (const tenant of tenants) {
      const publisher = await addPublisher(server.admin, folder, tenant);
      publishers.set(tenant.slug, publisher);
      const made: PublishedRelease[] = [];
      releases.set(tenant.slug, made);
      for (const each of tenant.releases) {
        const at = new Date(now.getTime() - each.agoMs);
        const release = await publisher.make(each, at);
        made.push(release);
        scenes.push({ at, of: tenant, play: () => publisher.push(release) });
      }
    }
    for (const member of members) {
      const at = new Date(now.getTime() - member.enrolledAgoMs);
      const enrol = async () => {
        const token = await server.admin.makeEnrolmentToken({ slug: member.tenant.slug });
        machines.push(createMachine(member, await enrolDevice({ url, now: clock.now }, token, member)));
      };
      scenes.push({ at, of: member, play: enrol });
    }
    say(`enrolling ${agents} agents of ${tenants.length} tenants`);
    const past = new Date(now.getTime() - PAST_MS + DAY_MS);
    for (const person of PEOPLE.filter(({ grants }) => tenants.length > 1 || !grants.some(isOfNordwind)))
      scenes.push({ at: past, of: person, play: () => invite(operator, person) });
    const dawn = now.getTime() - DAY_MS - TOGETHER_MS;
    await playAll(
      scenes.filter(({ at }) => at.getTime() < dawn),
      clock,
    );
    const later = scenes.filter(({ at }) => at.getTime() >= dawn);
    for (const machine of machines) {
      const known = releases.get(machine.member.tenant.slug) ?? [];
      const story = storyOf(machine, known, now, chance, {
        runs: options.runs ?? runsEach(agents),
        onCommand: obey(machine),
      });
      later.push(...story.map((scene) => ({ ...scene, of: machine })));
    }
    say(`their last day, in ${later.length} scenes`);
    await playAll(later, clock);
    clock.arrive();
    for (const machine of machines) {
      if (machine.member.plight !== 'revoked') continue;
      await ask(operator, 'POST', `/api/agents/${machine.device.agentId}/revoke`, {
        why: 'sold with the shop',
      });
    }
    for (const { slug, triggerKey } of publishers.values())
      if (slug !== WITHOUT_TRIGGER_KEY)
        await ask(operator, 'PUT', `/api/tenants/${slug}/trigger-key`, { key: triggerKey });
    const world = { machines, publishers, releases, chance, obey, say };
    const quiet = (error: unknown) => {
      if (!leaving.signal.aborted) say(String(error));
    };
    keepInTouch(world, leaving.signal).catch(quiet);
    if (live) goOn(world, leaving.signal).catch(quiet);
    return { console: server, url, apiKey, machines, publishers, releases, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Signs its commands elsewhere: what pages show where the console cannot. */
const WITHOUT_TRIGGER_KEY = 'nordwind-logistik';
const isOfNordwind = ({ tenant }: { readonly tenant: string }) => tenant === WITHOUT_TRIGGER_KEY;

type OwnedScene = Scene & { readonly of: object };

/** In order of time; for one owner one after the other, for several that come within three minutes at once. */
async function playAll(scenes: readonly OwnedScene[], clock: MovingClock): Promise<void> {
  const waiting = scenes.toSorted((a, b) => a.at.getTime() - b.at.getTime());
  for (let from = 0; from < waiting.length; ) {
    const start = (waiting[from] as OwnedScene).at.getTime();
    let to = from;
    while (to < waiting.length && (waiting[to] as OwnedScene).at.getTime() < start + TOGETHER_MS) to += 1;
    const together = waiting.slice(from, to);
    clock.moveTo((together.at(-1) as OwnedScene).at);
    const owners = Map.groupBy(together, ({ of }) => of);
    await Promise.all(
      owners.values().map(async (own) => {
        for (const scene of own) await scene.play(scene.at);
      }),
    );
    from = to;
  }
}
