import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AcceptedRoot } from '../../reconciler/ports.ts';
import type { GeneralJws, PrivateJwk } from '../../schemas/jws.ts';
import type { Root } from '../../schemas/root.ts';
import { type DraftDocument, serialiseDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { newRoot, rotateRoot } from '../../trust/ceremony/root-draft.ts';
import { signPayload } from '../../trust/jws.ts';
import { releaseKeySet } from '../../trust/root.ts';
import { type RootWalk, walkRoots } from '../../trust/root-walk.ts';
import { publicPart, thumbprint } from '../../trust/thumbprint.ts';
import { FAR, firstRoot, makeKeys, nextRoot, rootFiles, signRoot, snapshot } from './signed-files.ts';

type Files = Parameters<typeof snapshot>[0];
const RELEASE_KEY = newKey();

function walk(pinned: GeneralJws, files: Files, remembered: readonly AcceptedRoot[] = []): Promise<RootWalk> {
  return walkRoots(serialiseDocument(pinned), remembered, snapshot(files).files);
}

/** Signs without the ceremony's checks. */
async function sign(payload: object | string, keys: readonly PrivateJwk[]): Promise<GeneralJws> {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const bytes = Buffer.from(text, 'utf8');
  const signatures = await Promise.all(keys.map((key) => signPayload(bytes, key, 'edgeflows-root+jws')));
  return { payload: bytes.toString('base64url'), signatures };
}

function payloadOf(document: DraftDocument): Record<string, unknown> {
  return JSON.parse(Buffer.from(document.payload, 'base64url').toString('utf8')) as Record<string, unknown>;
}

// Ported from theupdateframework/tuf-conformance, test_updater_key_rotations.py (test_root_rotation), by name: keys of the
// root role, threshold, signers of each version; `false` where the last one must not be taken.
const ROTATIONS: Record<string, [keys: number[], threshold: number, signers: number[], taken?: boolean][]> = {
  '1-of-1-key-rotation': [
    [[1], 1, [1]],
    [[2], 1, [2, 1]],
    [[2], 1, [2]],
  ],
  '1-of-1-key-rotation-unused-signatures': [
    [[1], 1, [3, 1, 4]],
    [[2], 1, [3, 2, 1, 4]],
    [[2], 1, [3, 2, 4]],
  ],
  '3-of-5-sign-with-different-keycombos': [
    [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
    [[0, 1, 2, 3, 4], 3, [0, 4, 1]],
    [[0, 1, 2, 3, 4], 3, [0, 1, 3]],
    [[0, 1, 2, 3, 4], 3, [0, 1, 3]],
  ],
  '3-of-5-one-key-rotated': [
    [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
    [[0, 1, 3, 4, 5], 3, [0, 4, 1]],
  ],
  '3-of-5-one-key-rotated-with-intermediate-step': [
    [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
    [[0, 1, 3, 4, 5], 3, [0, 2, 4, 5]],
    [[0, 1, 3, 4, 5], 3, [0, 4, 5]],
  ],
  '3-of-5-all-keys-rotated-with-intermediate-step': [
    [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
    [[5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7]],
    [[5, 6, 7, 8, 9], 3, [5, 6, 7]],
  ],
  '1-of-3-threshold-increase-to-2-of-3': [
    [[1, 2, 3], 1, [1]],
    [[1, 2, 3], 2, [1, 2]],
  ],
  '2-of-3-threshold-decrease-to-1-of-3': [
    [[1, 2, 3], 2, [1, 2]],
    [[1, 2, 3], 1, [1, 2]],
    [[1, 2, 3], 1, [1]],
  ],
  '1-of-2-threshold-increase-to-2-of-2': [
    [[1], 1, [1]],
    [[1, 2], 2, [1, 2]],
  ],
  '1-of-1-key-rotation-fail-not-signed-with-old-key': [
    [[1], 1, [1]],
    [[2], 1, [2, 3, 4], false],
  ],
  '1-of-1-key-rotation-fail-not-signed-with-new-key': [
    [[1], 1, [1]],
    [[2], 1, [1, 3, 4], false],
  ],
  '3-of-5-one-key-rotate-fails-not-signed-with-3-new-keys': [
    [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
    [[0, 1, 3, 4, 5], 3, [0, 2, 4], false],
  ],
  '3-of-5-one-key-rotate-fails-not-signed-with-3-old-keys': [
    [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
    [[0, 1, 3, 4, 5], 3, [0, 4, 5], false],
  ],
  '1-of-3-threshold-bump-to-2-of-3-fails-new-threshold-not-reached': [
    [[1, 2, 3], 1, [1]],
    [[1, 2, 3], 2, [2], false],
  ],
  '2-of-3-threshold-decr-to-1-of-3-fails-old-threshold-not-eached': [
    [[1, 2, 3], 2, [1, 2]],
    [[1, 2, 3], 1, [1], false],
  ],
};

describe('TUF conformance: test_root_rotation', () => {
  it.each(Object.entries(ROTATIONS))('%s', async (_, versions) => {
    const pool = Array.from({ length: 10 }, newKey);
    const pick = (indexes: number[]) => indexes.map((index) => pool[index] as PrivateJwk);
    const roots: GeneralJws[] = [];
    for (const [index, [keys, threshold, signers]] of versions.entries()) {
      const plan = {
        expires: FAR,
        keys: { root: pick(keys), release: [RELEASE_KEY] },
        thresholds: { root: threshold },
      };
      roots.push(await signRoot(newRoot(plan, index + 1), pick(signers)));
    }
    const [pinned, ...published] = roots as [GeneralJws, ...GeneralJws[]];
    const result = await walk(pinned, rootFiles(...published));
    const fails = versions.at(-1)?.[3] === false;
    // What was good before the bad one is accepted all the same, as TUF persists it (5.3.8).
    expect(result.accepted.map((root) => root.version)).toEqual(
      published.slice(0, fails ? -1 : undefined).map((_root, index) => index + 2),
    );
    const refusal = { kind: 'refused', code: 'root_threshold_not_met' };
    expect(result).toMatchObject(fails ? refusal : { kind: 'walked', root: { version: versions.length } });
  });
});

describe('the chain of roots', () => {
  const keys = makeKeys(2);

  it('begins at the pinned root when there is no other', async () => {
    const result = await walk(await firstRoot(keys), {});
    expect(result).toMatchObject({ kind: 'walked', root: { version: 1 }, accepted: [], gap: null });
  });

  it('may begin at any version', async () => {
    const [one, other] = [makeKeys(), makeKeys()];
    const root1 = await firstRoot(one);
    const root2 = await nextRoot(root1, one, other);
    const root3 = await nextRoot(root2, other);
    const result = await walk(root2, rootFiles(root1, root2, root3));
    expect(result).toMatchObject({ kind: 'walked', root: { version: 3 }, accepted: [{ version: 3 }] });
  });

  it('keeps the exact text of what it accepts', async () => {
    const root1 = await firstRoot(keys);
    const root2 = await nextRoot(root1, keys);
    const text = ` ${serialiseDocument(root2)}`;
    const { accepted } = await walk(root1, { 'roots/2.root.jws.json': text });
    expect(accepted[0]?.document).toBe(text);
  });

  it('ends at a gap: what lies beyond does not count', async () => {
    const root1 = await firstRoot(keys);
    const root2 = await nextRoot(root1, keys);
    const root3 = await nextRoot(root2, keys);
    const root4 = await nextRoot(root3, keys);
    const result = await walk(root1, rootFiles(root2, root4));
    expect(result).toMatchObject({ kind: 'walked', root: { version: 2 }, gap: 3 });
  });

  it('does not care about expiry on the way, which is for the last one only', async () => {
    const root1 = await firstRoot(keys, {}, '2020-01-01T00:00:00Z');
    const root2 = await nextRoot(root1, keys, keys, { expires: '2021-01-01T00:00:00Z' });
    const root3 = await nextRoot(root2, keys);
    expect(await walk(root1, rootFiles(root2, root3))).toMatchObject({
      kind: 'walked',
      root: { version: 3 },
    });
  });

  it('refuses a file whose name is not its version', async () => {
    const root1 = await firstRoot(keys);
    const root2 = await nextRoot(root1, keys);
    const root3 = await nextRoot(root2, keys);
    for (const file of [root1, root3]) {
      const result = await walk(root1, { 'roots/2.root.jws.json': file });
      expect(result).toMatchObject({ kind: 'refused', code: 'root_name_mismatch', accepted: [] });
    }
  });

  it('refuses a fork of the pinned version', async () => {
    const root1 = await firstRoot(keys);
    const fork = await firstRoot(keys, {}, '2031-01-01T00:00:00Z');
    expect(await walk(root1, rootFiles(fork))).toMatchObject({ kind: 'refused', code: 'root_conflict' });
    expect(await walk(root1, rootFiles(root1))).toMatchObject({ kind: 'walked' });
  });

  it('refuses a fork of a version accepted before, however well it is signed', async () => {
    const root1 = await firstRoot(keys);
    const root2 = await nextRoot(root1, keys);
    const fork = await nextRoot(root1, keys, keys, { expires: '2031-01-01T00:00:00Z' });
    const { accepted } = await walk(root1, rootFiles(root2));
    expect(await walk(root1, rootFiles(fork), accepted)).toMatchObject({
      kind: 'refused',
      code: 'root_conflict',
    });
    expect(await walk(root1, rootFiles(fork))).toMatchObject({ kind: 'walked', root: { version: 2 } });
  });

  it('refuses a pinned root that is a fork of one accepted before', async () => {
    const root1 = await firstRoot(keys);
    const { accepted } = await walk(root1, rootFiles(await nextRoot(root1, keys)));
    const fork = await nextRoot(root1, keys, keys, { expires: '2031-01-01T00:00:00Z' });
    expect(await walk(fork, {}, accepted)).toMatchObject({ kind: 'refused', code: 'root_conflict' });
  });

  it('counts a remembered root that the branch withholds', async () => {
    const root1 = await firstRoot(keys);
    const root2 = await nextRoot(root1, keys);
    const root3 = await nextRoot(root2, keys);
    const { accepted } = await walk(root1, rootFiles(root2, root3));
    expect(await walk(root1, {}, accepted)).toMatchObject({
      kind: 'walked',
      root: { version: 3 },
      accepted: [],
    });
    // And a branch may go on from it without the older files.
    const root4 = await nextRoot(root3, keys);
    expect(await walk(root1, rootFiles(root4), accepted)).toMatchObject({
      kind: 'walked',
      root: { version: 4 },
      accepted: [{ version: 4 }],
    });
  });

  it('takes more signatures on a root accepted before, and still none that do not suffice', async () => {
    const both = makeKeys(2);
    const root1 = await firstRoot(both, { root: 1 });
    const draft = rotateRoot(root1, { expires: FAR });
    const byOne = await signRoot(draft, both.root.slice(0, 1));
    const byBoth = await signRoot(draft, both.root);
    const { accepted } = await walk(root1, rootFiles(byOne));
    expect(await walk(root1, rootFiles(byBoth), accepted)).toMatchObject({
      kind: 'walked',
      root: { version: 2 },
    });
    const byNobody = {
      ...byOne,
      signatures: byOne.signatures.map((each) => ({ ...each, signature: 'AAAA' })),
    };
    expect(await walk(root1, rootFiles(byNobody), accepted)).toMatchObject({
      code: 'root_threshold_not_met',
    });
  });

  it('does not trust a memory that the pinned root does not lead to', async () => {
    const root1 = await firstRoot(keys);
    const foreign = makeKeys();
    const foreign1 = await firstRoot(foreign);
    const { accepted } = await walk(foreign1, rootFiles(await nextRoot(foreign1, foreign)));
    expect(await walk(root1, {}, accepted)).toMatchObject({
      kind: 'refused',
      code: 'root_threshold_not_met',
    });
  });

  it('asks for the root between when the pinned one was set back', async () => {
    const root1 = await firstRoot(keys);
    const root2 = await nextRoot(root1, keys);
    const root3 = await nextRoot(root2, keys);
    const { accepted } = await walk(root2, rootFiles(root3));
    expect(await walk(root1, {}, accepted)).toMatchObject({ kind: 'refused', code: 'root_gap' });
    expect(await walk(root1, rootFiles(root2), accepted)).toMatchObject({
      kind: 'walked',
      root: { version: 3 },
    });
  });

  it('refuses a remembered document that is not the one it was', async () => {
    const root1 = await firstRoot(keys);
    const { accepted } = await walk(root1, rootFiles(await nextRoot(root1, keys)));
    const swapped = accepted.map((root) => ({ ...root, payload_sha256: '0'.repeat(64) }));
    expect(await walk(root1, {}, swapped)).toMatchObject({ kind: 'refused', code: 'root_conflict' });
  });

  it('follows 1,024 roots and refuses one more', async () => {
    const { root, release } = makeKeys();
    const plan = { expires: FAR, keys: { root, release } };
    const roots = await Promise.all(
      Array.from({ length: 1_026 }, (_, index) => signRoot(newRoot(plan, index + 1), root)),
    );
    const [pinned, ...later] = roots as [GeneralJws, ...GeneralJws[]];
    expect(await walk(pinned, rootFiles(...later.slice(0, 1_024)))).toMatchObject({
      root: { version: 1_025 },
    });
    expect(await walk(pinned, rootFiles(...later))).toMatchObject({ kind: 'refused', code: 'root_too_many' });
  }, 180_000);
});

describe('releaseKeySet', () => {
  it('is the SHA-256 of the sorted release key ids, a line feed between them', () => {
    const [a, b] = ['A', 'b'].map((letter) => letter.repeat(43)) as [string, string];
    const root = (...keyids: string[]) =>
      ({ roles: { release: { keyids, threshold: 1 } } }) as unknown as Root;
    const expected = createHash('sha256').update(`${a}\n${b}`).digest('hex');
    expect(releaseKeySet(root(a, b))).toBe(expected);
    expect(releaseKeySet(root(b, a))).toBe(expected);
  });
});

describe('a root document', () => {
  const keys = makeKeys();
  const [rootKey] = keys.root as [PrivateJwk];

  it('test_unsigned_initial_root: is refused when pinned without its own signatures', async () => {
    const { payload } = await firstRoot(keys);
    const signature = await signPayload(Buffer.from(payload, 'base64url'), newKey(), 'edgeflows-root+jws');
    const result = await walk({ payload, signatures: [signature] }, {});
    expect(result).toMatchObject({ kind: 'refused', code: 'root_threshold_not_met' });
    const draft = walkRoots(serialiseDocument({ payload, signatures: [] }), [], new Map());
    expect(await draft).toMatchObject({ kind: 'refused', code: 'document_malformed' });
  });

  it('test_custom_fields: may say more than is known here', async () => {
    const root1 = await firstRoot(keys);
    const root2 = { ...payloadOf(root1), version: 2, 'custom-field': { deep: [1] } };
    const result = await walk(root1, { 'roots/2.root.jws.json': await sign(root2, keys.root) });
    expect(result).toMatchObject({ kind: 'walked', root: { version: 2, 'custom-field': { deep: [1] } } });
  });

  it('test_duplicate_keys_root: cannot list one key under several ids', async () => {
    const kids = [thumbprint(rootKey), ...Array.from({ length: 9 }, () => newKey().kid)];
    const { kid: _, ...jwk } = publicPart(rootKey);
    const roles = {
      root: { keyids: [thumbprint(rootKey)], threshold: 1 },
      release: { keyids: kids, threshold: 6 },
    };
    const root = {
      type: 'edgeflows-root/v1',
      version: 1,
      expires: FAR,
      keys: Object.fromEntries(kids.map((kid) => [kid, jwk])),
      roles,
    };
    expect(await walk(await sign(root, [rootKey]), {})).toMatchObject({
      kind: 'refused',
      code: 'root_malformed',
    });
  });

  it.each([
    ['test_invalid_initial_root: no version', { version: undefined }, 'root_malformed'],
    ['a version that no double holds', { version: 2 ** 53 }, 'root_malformed'],
    ['a version below 1', { version: 0 }, 'root_malformed'],
    ['no expiry', { expires: undefined }, 'root_malformed'],
    ['an expiry on no calendar', { expires: '2027-02-30T00:00:00Z' }, 'root_malformed'],
    ['test_snapshot_threshold: a threshold above its keys', { release: { threshold: 2 } }, 'root_malformed'],
    ['a threshold of none', { release: { threshold: 0 } }, 'root_malformed'],
    ['a key id without key', { release: { keyids: ['nobody'] } }, 'root_malformed'],
    ['a key id twice', { release: { keyids: [RELEASE_KEY.kid, RELEASE_KEY.kid] } }, 'root_malformed'],
    ['a key under the id it gives itself', { keyAs: 'mine' }, 'root_malformed'],
    ['a private key', { addToKey: { d: RELEASE_KEY.d } }, 'root_malformed'],
    ['a kid inside the key that is not its thumbprint', { addToKey: { kid: 'mine' } }, 'root_malformed'],
    ['the type of a release', { type: 'edgeflows-release/v1' }, 'type_mismatch'],
    ['no type', { type: undefined }, 'type_mismatch'],
  ] as [string, Record<string, unknown>, string][])('is refused with %s', async (_, change, code) => {
    const { release: role, keyAs, addToKey, ...members } = change;
    const { kid, ...jwk } = publicPart(RELEASE_KEY);
    const releaseKid = (keyAs as string | undefined) ?? kid;
    const release = { keyids: [releaseKid], threshold: 1, ...(role as object | undefined) };
    const { kid: rootKid, ...rootJwk } = publicPart(rootKey);
    const root = {
      type: 'edgeflows-root/v1',
      version: 1,
      expires: FAR,
      keys: { [rootKid]: rootJwk, [releaseKid]: { ...jwk, ...(addToKey as object | undefined) } },
      roles: { root: { keyids: [rootKid], threshold: 1 }, release },
      ...members,
    };
    expect(await walk(await sign(root, [rootKey]), {})).toMatchObject({ kind: 'refused', code });
  });

  it.each([
    ['a name twice', '{"type":"edgeflows-root/v1","type":"edgeflows-root/v1"}'],
    ['nesting without end', `${'['.repeat(40)}${']'.repeat(40)}`],
    ['no JSON', 'root'],
  ])('is refused with %s in its payload', async (_, payload) => {
    expect(await walk(await sign(payload, [rootKey]), {})).toMatchObject({ code: 'document_malformed' });
  });

  it('keeps the payload unread until its predecessor has signed it', async () => {
    const root1 = await firstRoot(keys);
    const unread = await sign('not even JSON', [newKey()]);
    expect(await walk(root1, { 'roots/2.root.jws.json': unread })).toMatchObject({
      code: 'root_threshold_not_met',
    });
  });
});
