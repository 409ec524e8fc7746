import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  MANIFEST_FILE,
  POLICY_FILE,
  type Snapshot,
  type TrustMemory,
  type Verdict,
  type VerifiedRelease,
} from '../../reconciler/ports.ts';
import type { GeneralJws, PrivateJwk } from '../../schemas/jws.ts';
import { serialiseDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { makeReleaseStatement, type ReleasePlan } from '../../trust/ceremony/release.ts';
import { signPayload } from '../../trust/jws.ts';
import { withSeqMark } from '../../trust/memory.ts';
import { createReleaseVerifier } from '../../trust/release-verifier.ts';
import {
  daysFromNow,
  EMPTY,
  firstRoot,
  type Keys,
  MANIFEST,
  makeKeys,
  NOW,
  nextRoot,
  RELEASE_FILE,
  release,
  releasePlan,
  rootFiles,
  snapshot,
} from './signed-files.ts';

const POLICY = Buffer.from('version: 1\n');
const KEYS = makeKeys(1, 3);
const ROOT = await firstRoot(KEYS);

interface Scene {
  readonly mode?: 'required' | 'optional' | 'off';
  readonly root?: GeneralJws | null;
  readonly memory?: TrustMemory;
  readonly now?: Date;
}

function verify(files: Parameters<typeof snapshot>[0] | Snapshot, scene: Scene = {}): Promise<Verdict> {
  const { mode = 'required', root = ROOT, memory = EMPTY, now = NOW } = scene;
  const pinnedRoot = root === null ? null : serialiseDocument(root);
  const verifier = createReleaseVerifier({ mode, tenant: 'acme', pinnedRoot });
  return verifier.verify('files' in files ? (files as Snapshot) : snapshot(files), memory, now);
}

function first(keys: Keys = KEYS): readonly PrivateJwk[] {
  return keys.release.slice(0, 1);
}

async function verifyRelease(changes: Partial<ReleasePlan> = {}, scene: Scene = {}): Promise<Verdict> {
  return verify({ [RELEASE_FILE]: await release(first(), changes) }, scene);
}

async function accept(changes: Partial<ReleasePlan> = {}, scene: Scene = {}): Promise<VerifiedRelease> {
  const verdict = await verifyRelease(changes, scene);
  expect(verdict).toMatchObject({ kind: 'verified' });
  return verdict as VerifiedRelease;
}

/** Signs any payload at all as a release. */
async function signAnything(payload: string | Uint8Array, keys = first()): Promise<string> {
  const bytes = Buffer.from(payload);
  const signatures = await Promise.all(keys.map((key) => signPayload(bytes, key, 'edgeflows-release+jws')));
  return serialiseDocument({ payload: bytes.toString('base64url'), signatures });
}

describe('a signed release', () => {
  it('is verified, with what current.json and the memory need to know', async () => {
    const verdict = await accept({ seq: 7, version: 'v1.0.7', min_agent: '99.0.0' });
    const keyIds = KEYS.release.map((key) => key.kid as string).toSorted();
    const keys = createHash('sha256').update(keyIds.join('\n')).digest('hex');
    expect(verdict).toMatchObject({
      statement: { seq: 7, version: 'v1.0.7', min_agent: '99.0.0' },
      policy: null,
      rootVersion: 1,
      seq: { keys, value: 7 },
      newRoots: [],
      warnings: [],
      memory: { roots: [], seq: [{ keys, value: 7 }], latest_issued: daysFromNow(-1), signed_seen: true },
    });
    expect(Buffer.from(verdict.manifest).equals(MANIFEST)).toBe(true);
  });

  it('is verified again with what was learned from it', async () => {
    const { memory } = await accept();
    expect((await accept({}, { memory })).memory).toEqual(memory);
  });

  it('may say more than is known here', async () => {
    const statement = { ...makeReleaseStatement(releasePlan()), later: true };
    const verdict = await verify({ [RELEASE_FILE]: await signAnything(JSON.stringify(statement)) });
    expect(verdict).toMatchObject({ kind: 'verified', statement: { later: true } });
  });

  it.each([
    ['is none', null, 'release_missing'],
    ['is empty', '', 'document_malformed'],
    ['is too large', ' '.repeat(512 * 1024 + 1), 'document_too_large'],
    ['is a root', serialiseDocument(ROOT), 'typ_mismatch'],
  ])('is refused when the file %s', async (_, file, code) => {
    expect(await verify({ [RELEASE_FILE]: file })).toMatchObject({ kind: 'refused', code, memory: EMPTY });
  });

  it.each([
    ['another tenant', { tenant: 'other' }, 'tenant_mismatch'],
    ['an older root', { root_version: 1 }, 'root_version_mismatch', 2],
    ['a later root', { root_version: 3 }, 'root_version_mismatch', 2],
    ['a time more than 24 h ahead', { issued: daysFromNow(1.001) }, 'issued_in_future'],
    ['an expiry that has come', { expires: NOW.toISOString() }, 'release_expired'],
  ] as [string, Partial<ReleasePlan>, string, number?][])(
    'is refused with %s, and teaches nothing',
    async (_, changes, code, rootVersion = 1) => {
      const roots = rootVersion === 2 ? [await nextRoot(ROOT, KEYS)] : [];
      const files = {
        ...rootFiles(...roots),
        [RELEASE_FILE]: await release(first(), { seq: 9, ...changes }),
      };
      const verdict = await verify(files);
      expect(verdict).toMatchObject({ kind: 'refused', code });
      expect(verdict.memory).toMatchObject({ seq: [], latest_issued: null, signed_seen: false });
    },
  );

  it('is taken when it was issued 24 h ahead of this clock', async () => {
    expect(await verifyRelease({ issued: daysFromNow(1) })).toMatchObject({ kind: 'verified' });
  });

  it.each([
    ['a name twice', '{"type":"edgeflows-release/v1","type":"edgeflows-release/v1"}', 'document_malformed'],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'document_malformed'],
    ['huge nesting', '['.repeat(300_000), 'document_malformed'],
    ['no object', '"edgeflows-release/v1"', 'type_mismatch'],
    ['the type of a root', '{"type":"edgeflows-root/v1"}', 'type_mismatch'],
    ['a type to come', '{"type":"edgeflows-release/v2"}', 'type_mismatch'],
    ['nothing but its type', '{"type":"edgeflows-release/v1"}', 'document_malformed'],
  ])('is refused with %s in its payload', async (_, payload, code) => {
    expect(await verify({ [RELEASE_FILE]: await signAnything(payload) })).toMatchObject({
      kind: 'refused',
      code,
    });
  });

  it.each([
    { seq: 0 },
    { seq: -1 },
    { seq: 1.5 },
    { seq: 2 ** 53 },
    { seq: '1' },
    { issued: 'yesterday' },
    { expires: '2026-13-01T00:00:00Z' },
    { expires: 1_900_000_000 },
    { manifest: { sha256: 'AB'.repeat(32), length: 1 } },
    { manifest: { sha256: 'ab'.repeat(32), length: -1 } },
    { version: '../escape' },
  ])('is refused with a member like %j', async (change) => {
    const statement = { ...makeReleaseStatement(releasePlan()), ...change };
    const verdict = await verify({ [RELEASE_FILE]: await signAnything(JSON.stringify(statement)) });
    expect(verdict).toMatchObject({ kind: 'refused', code: 'document_malformed' });
  });

  it('warns from seven days before it expires, and for the root too', async () => {
    const soon = new Date(Date.parse(daysFromNow(53)));
    expect((await accept({}, { now: new Date(soon.getTime() - 1) })).warnings).toEqual([]);
    expect((await accept({}, { now: soon })).warnings).toMatchObject([{ reason: 'ReleaseExpiring' }]);
    const root = await firstRoot(KEYS, {}, daysFromNow(3));
    const { warnings } = await accept({}, { root });
    expect(warnings).toMatchObject([
      { reason: 'ReleaseExpiring', message: expect.stringContaining('root 1') },
    ]);
  });
});

describe('the threshold of the release role', () => {
  // Ported from theupdateframework/tuf-conformance, test_updater_key_rotations.py (test_non_root_rotations), by name.
  it.each([
    ['1-of-1-key-rotation', [2], 1, [2], true],
    ['1-of-1-key-rotation-unused-signatures', [1], 1, [3, 1, 4], true],
    ['1-of-1-key-rotation-fail-not-signed-with-new-key', [2], 1, [1, 3, 4], false],
    ['3-of-5-one-key-signature-wrong-not-signed-with-3-expected-keys', [0, 1, 3, 4, 5], 3, [0, 2, 4], false],
    ['2-of-5-one-key-signature-mising-threshold-not-reached', [0, 1, 3, 4, 5], 3, [0, 4], false],
    ['3-of-5-sign-first-combo', [0, 1, 2, 3, 4], 3, [0, 2, 4], true],
    ['3-of-5-sign-second-combo', [0, 1, 2, 3, 4], 3, [0, 4, 1], true],
    ['3-of-5-sign-third-combo', [0, 1, 2, 3, 4], 3, [0, 1, 3], true],
    ['3-of-5-sign-fourth-combo', [0, 1, 2, 3, 4], 3, [1, 2, 3], true],
    ['3-of-5-sign-fifth-combo', [0, 1, 2, 3, 4], 3, [2, 3, 4], true],
  ] as [string, number[], number, number[], boolean][])(
    'TUF conformance: test_non_root_rotations %s',
    async (_, listed, threshold, signers, taken) => {
      const pool = Array.from({ length: 6 }, newKey);
      const pick = (indexes: number[]) => indexes.map((index) => pool[index] as PrivateJwk);
      const root = await firstRoot({ root: KEYS.root, release: pick(listed) }, { release: threshold });
      const verdict = await verify({ [RELEASE_FILE]: await release(pick(signers)) }, { root });
      const refusal = { kind: 'refused', code: 'threshold_not_met' };
      expect(verdict).toMatchObject(taken ? { kind: 'verified' } : refusal);
    },
  );

  it('counts keys, not signatures: one key that signs three times is one', async () => {
    const root = await firstRoot(KEYS, { release: 2 });
    const [key] = first() as [PrivateJwk];
    const payload = JSON.stringify(makeReleaseStatement(releasePlan()));
    const thrice = await signAnything(payload, [key, key, key]);
    expect(await verify({ [RELEASE_FILE]: thrice }, { root })).toMatchObject({ code: 'threshold_not_met' });
    const two = await signAnything(payload, [key, key, KEYS.release[1] as PrivateJwk]);
    expect(await verify({ [RELEASE_FILE]: two }, { root })).toMatchObject({ kind: 'verified' });
  });

  it('is not spoiled by more signatures that do not hold', async () => {
    const good = JSON.parse(await release(first())) as GeneralJws;
    const signature = await signPayload(Buffer.from('other'), newKey(), 'edgeflows-release+jws');
    const stale = await signPayload(
      Buffer.from('other'),
      KEYS.release[1] as PrivateJwk,
      'edgeflows-release+jws',
    );
    const document = { ...good, signatures: [signature, stale, ...good.signatures] };
    expect(await verify({ [RELEASE_FILE]: serialiseDocument(document) })).toMatchObject({ kind: 'verified' });
  });

  it('is not met by keys of other roles, not even of the root', async () => {
    expect(await verify({ [RELEASE_FILE]: await release(KEYS.root) })).toMatchObject({
      code: 'threshold_not_met',
    });
  });

  it('comes before the payload: an unsigned lie about the tenant is a missing signature', async () => {
    const foreign = await release([newKey()], { tenant: 'other' });
    expect(await verify({ [RELEASE_FILE]: foreign })).toMatchObject({ code: 'threshold_not_met' });
    const rubbish = await signAnything('{"a":1,"a":2}', [newKey()]);
    expect(await verify({ [RELEASE_FILE]: rubbish })).toMatchObject({ code: 'threshold_not_met' });
  });
});

describe('seq', () => {
  it('falls: test_new_timestamp_version_rollback', async () => {
    const { memory } = await accept({ seq: 2 });
    expect(await verifyRelease({ seq: 1 }, { memory })).toMatchObject({ code: 'seq_rollback', memory });
  });

  it('stays with another payload: test_timestamp_eq_versions_check', async () => {
    const { memory } = await accept({ seq: 2 });
    const twin = { seq: 2, expires: daysFromNow(61) };
    expect(await verifyRelease(twin, { memory })).toMatchObject({ code: 'seq_equivocation', memory });
  });

  it('rises, also by more than one', async () => {
    const { memory } = await accept({ seq: 2 });
    expect((await accept({ seq: 2 ** 53 - 1 }, { memory })).seq?.value).toBe(2 ** 53 - 1);
  });

  it('is remembered by current.json alone: lower is refused, equal is taken', async () => {
    const { seq } = await accept({ seq: 5 });
    const memory = withSeqMark(EMPTY, seq);
    expect(await verifyRelease({ seq: 4 }, { memory })).toMatchObject({ code: 'seq_rollback' });
    const again = await accept({ seq: 5 }, { memory });
    expect(again.memory.seq).toMatchObject([{ value: 5, payload_sha256: expect.any(String) }]);
  });

  it('rises only when the files it binds are there: a release of another manifest blocks nothing', async () => {
    const changes = { seq: 9, manifestBytes: Buffer.from('other') };
    const verdict = await verifyRelease(changes);
    expect(verdict).toMatchObject({ code: 'manifest_mismatch' });
    expect(verdict.memory).toEqual(EMPTY);
    const bound = await verifyRelease({ seq: 9, policyBytes: POLICY });
    expect(bound).toMatchObject({ code: 'policy_missing', memory: EMPTY });
  });

  it('starts afresh with new release keys: test_new_timestamp_fast_forward_recovery', async () => {
    // A thief of the release key jumps to the end …
    const { memory } = await accept({ seq: 2 ** 53 - 1 });
    // … tries to jump in time as well …
    const jump = { seq: 2 ** 53 - 1, issued: '2099-01-01T00:00:00Z', expires: '2099-06-01T00:00:00Z' };
    expect(await verifyRelease(jump, { memory })).toMatchObject({ code: 'issued_in_future', memory });
    // … and is rotated out.
    const fresh = { root: KEYS.root, release: [newKey()] };
    const root2 = await nextRoot(ROOT, KEYS, fresh);
    const files = {
      ...rootFiles(root2),
      [RELEASE_FILE]: await release(fresh.release, { seq: 1, root_version: 2 }),
    };
    const verdict = await verify(files, { memory });
    expect(verdict).toMatchObject({ kind: 'verified', rootVersion: 2, newRoots: [2], seq: { value: 1 } });
    expect(verdict.memory.seq).toHaveLength(2);
    // The stolen key is of no use any more.
    const stolen = {
      ...rootFiles(root2),
      [RELEASE_FILE]: await release(first(), { seq: 2, root_version: 2 }),
    };
    expect(await verify(stolen, { memory: verdict.memory })).toMatchObject({ code: 'threshold_not_met' });
  });

  it('goes on where it was when the same keys come back or only the threshold moved', async () => {
    const { memory, seq } = await accept({ seq: 5 });
    const fresh = { root: KEYS.root, release: [newKey()] };
    const root2 = await nextRoot(ROOT, KEYS, fresh);
    const root3 = await nextRoot(root2, fresh, KEYS, { thresholds: { release: 1 } });
    const back = async (value: number) => {
      const file = await release(first(), { seq: value, root_version: 3 });
      return verify({ ...rootFiles(root2, root3), [RELEASE_FILE]: file }, { memory });
    };
    expect(await back(4)).toMatchObject({ code: 'seq_rollback', newRoots: [2, 3] });
    expect(await back(6)).toMatchObject({ kind: 'verified', seq: { keys: seq?.keys, value: 6 } });
  });
});

describe('time', () => {
  const later = new Date(NOW.getTime() + 30 * 24 * 60 * 60 * 1000);

  it('freezes nothing for ever: test_timestamp_expired', async () => {
    const { memory } = await accept();
    expect(await verifyRelease({}, { memory, now: new Date(daysFromNow(60)) })).toMatchObject({
      code: 'release_expired',
      memory,
    });
  });

  it('does not go back with the clock: what has expired stays expired', async () => {
    const short = { seq: 1, expires: daysFromNow(10) };
    const { memory } = await accept(
      { seq: 2, issued: daysFromNow(30), expires: daysFromNow(90) },
      { now: later },
    );
    const decade = new Date(NOW.getTime() - 10 * 365 * 24 * 60 * 60 * 1000);
    const forgetful = { ...memory, seq: [] };
    expect(await verifyRelease(short, { memory: forgetful, now: decade })).toMatchObject({
      code: 'release_expired',
    });
    expect(await verifyRelease(short, { memory: forgetful })).toMatchObject({ code: 'release_expired' });
  });

  it('takes a fresh release on a machine whose clock was set back', async () => {
    const { memory } = await accept();
    const decade = new Date(NOW.getTime() - 10 * 365 * 24 * 60 * 60 * 1000);
    const next = await accept({ seq: 2, issued: daysFromNow(-0.5) }, { memory, now: decade });
    // Learned no later than a day beyond that clock, and never earlier than before.
    expect(next.memory.latest_issued).toBe(memory.latest_issued);
  });

  it('refuses everything on a clock ten years ahead, and takes it when the clock is right again', async () => {
    const decade = new Date(NOW.getTime() + 10 * 365 * 24 * 60 * 60 * 1000);
    const root = await firstRoot(KEYS, {}, '2090-01-01T00:00:00Z');
    const verdict = await verifyRelease({}, { root, now: decade });
    expect(verdict).toMatchObject({ code: 'release_expired', memory: EMPTY });
    await accept({}, { root, memory: verdict.memory });
  });

  it('cannot be pushed on day by day with a stolen key', async () => {
    let memory = EMPTY;
    for (let day = 1; day <= 5; day += 1) {
      const changes = { seq: day, issued: daysFromNow(day), expires: daysFromNow(900) };
      const verdict = await verifyRelease(changes, { memory });
      memory = verdict.memory;
    }
    expect(Date.parse(memory.latest_issued as string)).toBeLessThanOrEqual(Date.parse(daysFromNow(1)));
  });

  it('ends a root too: test_root_expired, which is kept but applies nothing', async () => {
    const root2 = await nextRoot(ROOT, KEYS, KEYS, { expires: daysFromNow(-1) });
    const files = { ...rootFiles(root2), [RELEASE_FILE]: await release(first(), { root_version: 2 }) };
    const verdict = await verify(files);
    expect(verdict).toMatchObject({ kind: 'refused', code: 'root_expired', newRoots: [2] });
    expect(verdict.memory.roots).toMatchObject([{ version: 2 }]);
    // Withholding it again does not help: the memory knows it.
    expect(await verifyRelease({}, { memory: verdict.memory })).toMatchObject({ code: 'root_expired' });
  });

  it('judges a root by the time learned from releases', async () => {
    const { memory } = await accept({ issued: daysFromNow(30), expires: daysFromNow(90) }, { now: later });
    const root = await firstRoot(KEYS, {}, daysFromNow(20));
    expect(await verifyRelease({ seq: 2 }, { root, memory })).toMatchObject({ code: 'root_expired' });
  });
});

describe('roots on the branch', () => {
  it('are taken up with the release that needs them, over several rotations at once', async () => {
    const [two, three] = [makeKeys(2, 2), makeKeys(3, 2)];
    const root2 = await nextRoot(ROOT, KEYS, two, { thresholds: { root: 2, release: 1 } });
    const root3 = await nextRoot(root2, two, three, { thresholds: { root: 2, release: 2 } });
    const file = await release(three.release, { root_version: 3 });
    const verdict = await verify({ ...rootFiles(ROOT, root2, root3), [RELEASE_FILE]: file });
    expect(verdict).toMatchObject({ kind: 'verified', rootVersion: 3, newRoots: [2, 3] });
    const again = await verify({ [RELEASE_FILE]: file }, { memory: verdict.memory });
    expect(again).toMatchObject({ kind: 'verified', rootVersion: 3, newRoots: [] });
  });

  it('stay learned when the release is refused', async () => {
    const root2 = await nextRoot(ROOT, KEYS);
    const verdict = await verify({ ...rootFiles(root2), [RELEASE_FILE]: await release(first()) });
    expect(verdict).toMatchObject({
      code: 'root_version_mismatch',
      newRoots: [2],
      memory: { signed_seen: false },
    });
    expect(verdict.memory.roots).toMatchObject([{ version: 2 }]);
  });

  it('do not count beyond a gap, which is named', async () => {
    const root2 = await nextRoot(ROOT, KEYS);
    const root3 = await nextRoot(root2, KEYS);
    const files = { ...rootFiles(root3), [RELEASE_FILE]: await release(first(), { root_version: 3 }) };
    expect(await verify(files)).toMatchObject({
      code: 'root_gap',
      message: expect.stringContaining('roots/2.root.jws.json'),
    });
    const old = { ...rootFiles(root3), [RELEASE_FILE]: await release(first()) };
    expect(await verify(old)).toMatchObject({ kind: 'verified', rootVersion: 1 });
  });

  it('cannot be swapped under an agent: a fork is refused with its code', async () => {
    const root2 = await nextRoot(ROOT, KEYS);
    const file = await release(first(), { root_version: 2 });
    const { memory } = await verify({ ...rootFiles(root2), [RELEASE_FILE]: file });
    const fork = await nextRoot(ROOT, KEYS, { root: KEYS.root, release: [newKey()] });
    expect(await verify({ ...rootFiles(fork), [RELEASE_FILE]: file }, { memory })).toMatchObject({
      code: 'root_conflict',
      memory,
    });
  });

  it('are needed: without a pinned one nothing signed is believed', async () => {
    expect(await verifyRelease({}, { root: null })).toMatchObject({ code: 'root_missing' });
  });
});

describe('the files a release binds', () => {
  it.each([
    ['manifest_missing', { [MANIFEST_FILE]: null }],
    ['manifest_mismatch', { [MANIFEST_FILE]: Buffer.concat([MANIFEST, Buffer.from(' ')]) }],
    ['manifest_mismatch', { [MANIFEST_FILE]: MANIFEST.subarray(0, -1) }],
    ['manifest_mismatch', { [MANIFEST_FILE]: Buffer.from(MANIFEST).fill('?', MANIFEST.length - 1) }],
    ['policy_missing', {}],
    ['policy_mismatch', { [POLICY_FILE]: 'version: 1 \n' }],
  ])('are refused with %s', async (code, files) => {
    const file = await release(first(), { policyBytes: POLICY });
    expect(await verify({ [RELEASE_FILE]: file, ...files })).toMatchObject({
      kind: 'refused',
      code,
      memory: EMPTY,
    });
  });

  it('are compared by length as well as by hash', async () => {
    const statement = makeReleaseStatement(releasePlan());
    const lying = {
      ...statement,
      manifest: { ...statement.manifest, length: statement.manifest.length + 1 },
    };
    const verdict = await verify({ [RELEASE_FILE]: await signAnything(JSON.stringify(lying)) });
    expect(verdict).toMatchObject({ code: 'manifest_mismatch' });
  });

  it('may include a policy, whose raw bytes come back', async () => {
    const file = await release(first(), { policyBytes: POLICY });
    const verdict = await verify({ [RELEASE_FILE]: file, [POLICY_FILE]: POLICY });
    expect(verdict).toMatchObject({ kind: 'verified', warnings: [] });
    expect(Buffer.from((verdict as VerifiedRelease).policy as Uint8Array).equals(POLICY)).toBe(true);
  });

  it('do not include a policy nobody bound: it is ignored with a warning', async () => {
    const files = { [RELEASE_FILE]: await release(first()), [POLICY_FILE]: POLICY };
    expect(await verify(files)).toMatchObject({
      kind: 'verified',
      policy: null,
      warnings: [{ reason: 'PolicyIgnored' }],
    });
  });
});

describe('mode optional', () => {
  const mode = 'optional';

  it('takes an unsigned release until a signed one was accepted, then only signed ones', async () => {
    const before = await verify({}, { mode });
    expect(before).toMatchObject({
      kind: 'verified',
      statement: null,
      seq: null,
      rootVersion: null,
      memory: EMPTY,
    });
    const { memory } = await accept({}, { mode });
    expect(await verify({}, { mode, memory })).toMatchObject({ code: 'signature_required', memory });
    await accept({ seq: 2 }, { mode, memory });
  });

  it('latches by what current.json alone knows', async () => {
    const { seq } = await accept();
    const memory = { ...withSeqMark(EMPTY, seq), signed_seen: false };
    expect(await verify({}, { mode, memory })).toMatchObject({ code: 'signature_required' });
  });

  it('latches by the latch alone', async () => {
    const memory = { ...EMPTY, signed_seen: true };
    expect(await verify({}, { mode, memory })).toMatchObject({ code: 'signature_required' });
  });

  it('latches by a release accepted in mode required', async () => {
    const { memory } = await accept();
    expect(await verify({}, { mode, memory })).toMatchObject({ code: 'signature_required' });
  });

  it('does not latch by a signed release that was refused', async () => {
    const { memory } = await verifyRelease({ expires: NOW.toISOString() }, { mode });
    expect(await verify({}, { mode, memory })).toMatchObject({ kind: 'verified' });
  });

  it('refuses a bad statement instead of taking it for none', async () => {
    expect(await verify({ [RELEASE_FILE]: '{}' }, { mode })).toMatchObject({ code: 'document_malformed' });
    expect(await verify({ [RELEASE_FILE]: await release([newKey()]) }, { mode })).toMatchObject({
      code: 'threshold_not_met',
    });
  });

  it('works without a pinned root while nothing is signed, and refuses a statement it cannot check', async () => {
    expect(await verify({}, { mode, root: null })).toMatchObject({ kind: 'verified', statement: null });
    expect(await verifyRelease({}, { mode, root: null })).toMatchObject({ code: 'root_missing' });
  });

  it('ignores the policy of an unsigned release, with a warning', async () => {
    expect(await verify({ [POLICY_FILE]: POLICY }, { mode })).toMatchObject({
      policy: null,
      warnings: [{ reason: 'PolicyIgnored' }],
    });
  });

  it('needs a manifest all the same', async () => {
    expect(await verify({ [MANIFEST_FILE]: null }, { mode })).toMatchObject({ code: 'manifest_missing' });
  });
});

describe('mode off', () => {
  it('does not look at the statement, binds no policy and learns nothing', async () => {
    const files = { [RELEASE_FILE]: 'rubbish', 'roots/2.root.jws.json': 'rubbish', [POLICY_FILE]: POLICY };
    const memory = { ...EMPTY, signed_seen: true };
    const verdict = await verify(files, { mode: 'off', root: null, memory });
    expect(verdict).toMatchObject({
      kind: 'verified',
      statement: null,
      policy: null,
      seq: null,
      memory,
      warnings: [{ reason: 'PolicyIgnored' }],
    });
  });
});
