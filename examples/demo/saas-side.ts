import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { makeKeyFile, readSigningKey } from '../../agent/key-files.ts';
import { draftFirstRoot, type RootView, signRootFile } from '../../agent/root-ceremony.ts';
import { type AddedTenant, type ConsoleAdmin } from '../../console/admin.ts';
import { createConsole } from '../../console/server.ts';
import { Overview } from '../../schemas/console/overview.ts';
import { createSystemClock } from '../../system/clock.ts';
import { type Arrivals, createArrivals } from './arrivals.ts';
import { openSignInDoor, type Person } from './sign-in-door.ts';

const YEAR_MS = 365 * 86_400_000;
const CALL_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 200;
const STATE_WAIT_MS = 60_000;

export interface SaasSide {
  readonly url: string;
  readonly admin: ConsoleAdmin;
  readonly arrivals: Arrivals;
  /** May do everything. */
  readonly apiKey: string;
  /** Who signs in to the pages. */
  readonly person: Person;
  /** Signs a browser in, once, and leads to the pages. */
  readonly door: string;
  /** A call of the API as a program makes it: the status and the document. */
  call(method: string, path: string, body?: object): Promise<{ status: number; answer: unknown }>;
  /** The overview, once it is as wanted: within a minute. `what` completes "expected …". */
  overview(what: string, wanted: (found: Overview) => boolean, signal: AbortSignal): Promise<Overview>;
}

/** The real console, in this process, on a free port of loopback. `cleanup` ends it. */
export async function startConsole(folder: string, cleanup: AsyncDisposableStack): Promise<SaasSide> {
  const log = pino({ level: 'warn' }, pino.destination({ dest: join(folder, 'console.log'), sync: true }));
  const console = await createConsole({
    dataDirectory: join(folder, 'console'),
    host: '127.0.0.1',
    port: 0,
    log,
    clock: createSystemClock(),
    // Nobody is served after the demo: what is still under way is a poll of the agent that has just been ended.
    limits: { closeGraceMs: 250 },
  });
  cleanup.defer(() => console.close());
  const url = await console.listen();
  const { admin, notices } = console;
  const apiKey = await admin.newApiKey('demo');
  const call: SaasSide['call'] = async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: { 'x-api-key': apiKey, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    return { status: response.status, answer: await response.json() };
  };
  const person = await makeFirstPerson(call, (await console.setupUrl()) as string);
  return {
    url,
    admin,
    apiKey,
    arrivals: createArrivals(notices),
    person,
    door: await openSignInDoor(url, person, cleanup),
    call,
    async overview(what, wanted, signal) {
      const deadline = performance.now() + STATE_WAIT_MS;
      for (;;) {
        const found = Overview.parse((await call('GET', '/api/overview')).answer);
        if (wanted(found)) return found;
        if (performance.now() > deadline) {
          throw new Error(
            `expected ${what} within ${STATE_WAIT_MS / 1_000} s, found: ${found.verdict.text} ${JSON.stringify(found.states)}`,
          );
        }
        await sleep(LOOK_EVERY_MS, undefined, { signal });
      }
    },
  };
}

/** As the page /setup makes it, with the code that a console prints at its first start. */
async function makeFirstPerson(call: SaasSide['call'], setupUrl: string): Promise<Person> {
  const person: Person = { login: 'demo', password: randomUUID().slice(0, 18) };
  const code = new URL(setupUrl).hash.slice(1);
  expectStatus(201, await call('POST', '/api/setup', { code, name: 'You', ...person }));
  return person;
}

/** With it the console signs what is asked for on its pages. Without it they only show, and a person signs elsewhere. */
export async function giveTriggerKey(saas: SaasSide, slug: string, { triggerKey }: Keys): Promise<void> {
  const { key } = await readSigningKey(triggerKey);
  const { kty, crv, x, d } = key;
  expectStatus(200, await saas.call('PUT', `/api/tenants/${slug}/trigger-key`, { key: { kty, crv, x, d } }));
}

export function expectStatus(wanted: number, { status, answer }: { status: number; answer: unknown }): void {
  if (status !== wanted) throw new Error(`expected ${wanted}, found ${status}: ${JSON.stringify(answer)}`);
}

export interface Keys {
  /** `1.root.jws.json`, complete. */
  readonly root: RootView;
  /** The private release key. */
  readonly releaseKey: string;
  /** The private key that signs commands. */
  readonly triggerKey: string;
}

/** The key ceremony: three people hold root keys, two of them sign the root; a fourth key signs releases, a fifth commands. */
export async function holdCeremony(folder: string): Promise<Keys> {
  await mkdir(folder, { mode: 0o700 });
  const at = (name: string) => join(folder, name);
  const people = ['root-ann.jwk', 'root-ben.jwk', 'root-cleo.jwk'].map(at);
  const releaseKey = at('release.jwk');
  const triggerKey = at('trigger.jwk');
  for (const file of [...people, releaseKey, triggerKey]) await makeKeyFile(file, { force: false });
  const out = at('1.root.jws.json');
  await draftFirstRoot({
    keys: { root: people, release: [releaseKey], trigger: [triggerKey] },
    thresholds: { root: 2 },
    expires: `${new Date(Date.now() + YEAR_MS).toISOString().slice(0, 19)}Z`,
    out,
    force: false,
  });
  const sign = (key: string) => signRootFile({ file: out, key, previous: null, out: null });
  await sign(at('root-ann.jwk'));
  return { root: await sign(at('root-ben.jwk')), releaseKey, triggerKey };
}

export async function addTenant(saas: SaasSide, slug: string, keys: Keys): Promise<AddedTenant> {
  return saas.admin.addTenant({ slug, rootDocument: await readFile(keys.root.file, 'utf8') });
}
