import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { makeKeyFile } from '../../agent/key-files.ts';
import { draftFirstRoot, type RootView, signRootFile } from '../../agent/root-ceremony.ts';
import { type AddedTenant, type ConsoleAdmin } from '../../console/admin.ts';
import { createConsole } from '../../console/server.ts';
import { createSystemClock } from '../../system/clock.ts';
import { type Arrivals, createArrivals } from './arrivals.ts';

const YEAR_MS = 365 * 86_400_000;

export interface SaasSide {
  readonly url: string;
  readonly admin: ConsoleAdmin;
  readonly arrivals: Arrivals;
  /** Of an operator. */
  readonly apiKey: string;
}

/** The real console, in this process, on a free port of loopback. `cleanup` ends it. */
export async function startConsole(folder: string, cleanup: AsyncDisposableStack): Promise<SaasSide> {
  const log = pino({ level: 'warn' }, pino.destination({ dest: join(folder, 'console.log'), sync: true }));
  const console = createConsole({
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
  return { url, admin, arrivals: createArrivals(notices), apiKey: await admin.newApiKey('demo') };
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
