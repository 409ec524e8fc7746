import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrustMemory } from '../../reconciler/ports.ts';
import { Current, EMPTY_CURRENT } from '../../schemas/current.ts';
import type { Root } from '../../schemas/root.ts';
import { EMPTY_TRUST_MEMORY, mergeMemory, parseTrustMemory } from '../../trust/memory.ts';
import { walkRoots } from '../../trust/root-walk.ts';
import { createCredentialsTrustFile } from '../../trust/trust-state-file.ts';
import { TRUST_DOCUMENT } from '../trust-memory.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';
import { readDocument } from './database-look.ts';
import type { Patient } from './patient.ts';

const DAY_MS = 86_400_000;
const ROOT_NOTICE_MS = 30 * DAY_MS;
const RELEASE_NOTICE_MS = 7 * DAY_MS;

/** What releases and commands are verified by, and what is remembered of them. */
export function trustChecks(patient: Patient, now: Date): Check[] {
  const base = { group: 'trust', code: 4 } as const;
  return [
    { ...base, name: 'trust.mode', expected: 'releases are verified', run: async () => modeFinding(patient) },
    { ...base, name: 'trust.root', expected: ROOT, run: () => rootFinding(patient, now) },
    { ...base, name: 'trust.memory', expected: MEMORY, run: () => memoryFinding(patient) },
    { ...base, name: 'trust.release', expected: RELEASE, run: () => releaseFinding(patient, now) },
  ];
}

const ROOT = 'a pinned root, and a root in force that has not expired';
const MEMORY = 'the same highest seq in agent.db, the credentials folder and current.json';
const RELEASE = 'a release that has not expired';

function modeFinding({ loaded: { config } }: Patient): Finding {
  const name = 'trust.mode';
  const { mode } = config.trust;
  const found = `trust.mode ${mode}`;
  if (mode === 'off') return warn(name, found, 'releases are verified', 'set trust.mode: required');
  return ok(name, found, 'releases are verified');
}

async function rootFinding({ loaded: { config }, paths }: Patient, now: Date): Promise<Finding> {
  const name = 'trust.root';
  const { mode } = config.trust;
  if (paths.root === null) {
    const found = 'trust.root is not set';
    return mode === 'required'
      ? fail(name, found, ROOT, 'run edge-agent enroll')
      : warn(name, `${found}: there are no signed commands`, ROOT, 'run edge-agent enroll');
  }
  const text = await readFile(paths.root, 'utf8').catch(() => null);
  if (text === null) return fail(name, `${paths.root}: none to read`, ROOT, 'run edge-agent enroll');
  const memory = await wholeMemory(patientPlaces(paths)).catch(() => EMPTY_TRUST_MEMORY);
  if (mode === 'tuf') return tufRootFinding(text, paths.root, memory, now);
  const walk = await walkRoots(text, memory.roots, new Map());
  if (walk.kind === 'refused') return fail(name, `${paths.root}: ${walk.message}`, ROOT, 'enrol again');
  return rootInForce(walk.root, describeRoot(walk.root, now), now);
}

async function tufRootFinding(text: string, path: string, memory: TrustMemory, now: Date): Promise<Finding> {
  const { tufRootOf } = await import('../../trust/tuf/ends.ts');
  const root = await tufRootOf(text, memory.tuf);
  if (root.kind === 'refused')
    return fail('trust.root', `${path}: ${root.message}`, ROOT, 'correct trust.root, or enrol again');
  const roles = (['root', 'timestamp', 'snapshot', 'targets'] as const).map((role) => {
    const { threshold, keyids } = root.roles[role];
    return `${role} ${threshold} of ${keyids.length}`;
  });
  const found = `TUF version ${root.version}, expires ${when(root.expires, now)}; keys: ${roles.join(', ')}`;
  return rootInForce(root, found, now);
}

function rootInForce(root: { version: number; expires: string }, found: string, now: Date): Finding {
  const name = 'trust.root';
  const left = Date.parse(root.expires) - now.getTime();
  const advice = `publish root ${root.version + 1}, signed by the keys of root ${root.version}`;
  if (!(left > 0)) return fail(name, found, ROOT, advice);
  return left < ROOT_NOTICE_MS ? warn(name, found, ROOT, advice) : ok(name, found, ROOT);
}

function describeRoot(root: Root, now: Date): string {
  const roles = (['root', 'release', 'trigger'] as const).flatMap((name) => {
    const role = root.roles[name];
    return role === undefined ? [] : [`${name} ${role.threshold} of ${role.keyids.length}`];
  });
  return `version ${root.version}, expires ${when(root.expires, now)}; keys: ${roles.join(', ')}`;
}

type Places = Pick<Patient['paths'], 'credentials' | 'database' | 'cache'> & { readonly pointer: string };

function patientPlaces(paths: Patient['paths'], tenant = ''): Places {
  return { ...paths, pointer: join(paths.cache, tenant, 'current.json') };
}

function inDatabase(places: Places): TrustMemory {
  const value = readDocument(places.database, TRUST_DOCUMENT);
  return value === undefined ? EMPTY_TRUST_MEMORY : parseTrustMemory(value, 'agent.db');
}

async function wholeMemory(places: Places): Promise<TrustMemory> {
  return mergeMemory(inDatabase(places), await createCredentialsTrustFile(places.credentials).load());
}

/** A place may lag behind by a crash, and then the highest counts; what contradicts stops the agent. */
async function memoryFinding({ loaded, paths, other }: Patient): Promise<Finding | Finding[]> {
  const name = 'trust.memory';
  if (other !== null) return [];
  const places = patientPlaces(paths, loaded.config.tenant);
  try {
    const credentials = await createCredentialsTrustFile(places.credentials).load();
    const database = inDatabase(places);
    const whole = mergeMemory(database, credentials);
    const pointer = await pointerSeq(places.pointer);
    const keys = pointer?.keys ?? whole.seq.at(-1)?.keys ?? null;
    const of = (memory: TrustMemory) => memory.seq.find((mark) => mark.keys === keys)?.value ?? 0;
    const seqs = [of(database), of(credentials), ...(pointer === null ? [] : [pointer.value])];
    const found =
      keys === null
        ? 'nothing was accepted yet'
        : `seq ${seqs[0]} in agent.db, ${seqs[1]} with the credentials, ${pointer?.value ?? 'none'} in current.json`;
    // current.json follows with the next activation
    const kept = new Set(seqs.slice(0, 2));
    const agree = kept.size === 1 && (pointer === null || pointer.value <= of(whole));
    if (agree) return ok(name, found, MEMORY);
    return warn(name, found, MEMORY, 'the highest counts; run edge-agent reconcile to bring them together');
  } catch (error) {
    return fail(name, (error as Error).message, MEMORY, 'find out why before anything is restored');
  }
}

async function pointerSeq(path: string): Promise<Current['seq']> {
  const text = await readFile(path, 'utf8').catch(() => null);
  return (text === null ? EMPTY_CURRENT : Current.parse(JSON.parse(text))).seq;
}

async function releaseFinding({ status, loaded, paths }: Patient, now: Date): Promise<Finding[]> {
  const name = 'trust.release';
  const expires = status?.trust.release_expires ?? null;
  if (loaded.config.trust.mode === 'off' || status === null) return [];
  if (expires === null) return [ok(name, 'none was accepted yet', RELEASE)];
  const left = Date.parse(expires) - now.getTime();
  if (loaded.config.trust.mode === 'tuf') {
    const [{ roleThatEnds }, { noticeMs }] = await Promise.all([
      import('../../trust/tuf/ends.ts'),
      import('../../trust/tuf/expiry.ts'),
    ]);
    const role = roleThatEnds(expires, (await wholeMemory(patientPlaces(paths)).catch(() => null))?.tuf);
    const ends = `seq ${status.trust.seq}, ${role} is the first to end: ${when(expires, now)}`;
    if (!(left > 0)) return [fail(name, ends, RELEASE, `have ${role} signed again; what runs keeps running`)];
    return [
      left < noticeMs(role)
        ? warn(name, ends, RELEASE, `have ${role} signed again`)
        : ok(name, ends, RELEASE),
    ];
  }
  const found = `seq ${status.trust.seq}, expires ${when(expires, now)}`;
  if (!(left > 0)) {
    const advice = 'sign and publish a new release; what runs keeps running';
    return [fail(name, found, RELEASE, advice)];
  }
  if (left < RELEASE_NOTICE_MS) return [warn(name, found, RELEASE, 'sign and publish a new release')];
  return [ok(name, found, RELEASE)];
}

/** "2027-01-01 (in 41 days)" */
export function when(time: string, now: Date): string {
  const days = Math.floor((Date.parse(time) - now.getTime()) / DAY_MS);
  const count = `${Math.abs(days)} ${Math.abs(days) === 1 ? 'day' : 'days'}`;
  const relative = days >= 0 ? `in ${count}` : `${count} ago`;
  return `${time.slice(0, 10)} (${relative})`;
}
