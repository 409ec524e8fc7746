import { describe, expect, it } from 'vitest';
import type { GeneralJws, PrivateJwk } from '../../schemas/jws.ts';
import {
  CeremonyError,
  combineDocuments,
  draftOf,
  readDraft,
  serialiseDocument,
  signDocument,
} from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { makeReleaseStatement, signRelease } from '../../trust/ceremony/release.ts';
import { checkRoot } from '../../trust/ceremony/root-check.ts';
import { newRoot, rotateRoot } from '../../trust/ceremony/root-draft.ts';
import { createReleaseVerifier } from '../../trust/release-verifier.ts';
import { EMPTY, FAR, makeKeys, NOW, RELEASE_FILE, releasePlan, rootFiles, snapshot } from './signed-files.ts';

const ROOT_TYP = 'edgeflows-root+jws';
const RELEASE_TYP = 'edgeflows-release+jws';
const [ann, ben, cai] = [newKey(), newKey(), newKey()];
const RELEASE_KEYS = makeKeys(0, 2).release;

function firstDraft() {
  const keys = { root: [ann, ben, cai], release: RELEASE_KEYS };
  return newRoot({ expires: FAR, keys, thresholds: { root: 2, release: 2 } });
}
const payloadOf = (document: { payload: string }) =>
  JSON.parse(Buffer.from(document.payload, 'base64url').toString('utf8'));

describe('a root ceremony of two people', () => {
  it('goes from a draft over both signatures to a root that agents take', async () => {
    const draft = firstDraft();
    expect(await checkRoot(draft)).toMatchObject({
      version: 1,
      complete: false,
      own: { threshold: 2, signed: [], missing: [ann, ben, cai].map((key) => key.kid).toSorted() },
    });
    const byAnn = await signDocument(draft, ann, ROOT_TYP);
    expect(await checkRoot(byAnn)).toMatchObject({ complete: false, own: { signed: [ann.kid], met: false } });
    const root = await signDocument(byAnn, ben, ROOT_TYP);
    expect(await checkRoot(root)).toMatchObject({
      complete: true,
      previous: null,
      own: { signed: [ann.kid, ben.kid].toSorted(), missing: [cai.kid], met: true },
    });
    const { verify } = createReleaseVerifier({
      mode: 'required',
      tenant: 'acme',
      pinnedRoot: serialiseDocument(root),
    });
    const statement = makeReleaseStatement(releasePlan());
    const signed = await signRelease(statement, RELEASE_KEYS as unknown as [PrivateJwk]);
    expect(await verify(snapshot({ [RELEASE_FILE]: signed }), EMPTY, NOW)).toMatchObject({
      kind: 'verified',
    });
  });

  it('may be signed apart and brought together in any order', async () => {
    const draft = firstDraft();
    const byAnn = await signDocument(draft, ann, ROOT_TYP);
    const byBen = await signDocument(draft, ben, ROOT_TYP);
    const both = combineDocuments(byAnn, byBen, ROOT_TYP);
    expect(await checkRoot(both)).toMatchObject({ complete: true });
    expect(combineDocuments(both, byBen, ROOT_TYP)).toEqual(both);
    expect(both).toEqual(await signDocument(byAnn, ben, ROOT_TYP));
  });

  it('refuses to combine what is not one document', async () => {
    const one = await signDocument(firstDraft(), ann, ROOT_TYP);
    const keys = { root: [ann], release: RELEASE_KEYS };
    const other = await signDocument(newRoot({ expires: FAR, keys }), ann, ROOT_TYP);
    expect(() => combineDocuments(one, other, ROOT_TYP)).toThrow('different payloads');
  });

  it('refuses a second signature of one key', async () => {
    const byAnn = await signDocument(firstDraft(), ann, ROOT_TYP);
    await expect(signDocument(byAnn, ann, ROOT_TYP)).rejects.toThrow(ann.kid);
  });

  it('refuses to sign what is not a root, or is one under the name of a release', async () => {
    await expect(signDocument(draftOf({ type: 'x' }), ann, ROOT_TYP)).rejects.toThrow(CeremonyError);
    await expect(signDocument(firstDraft(), ann, RELEASE_TYP)).rejects.toThrow(CeremonyError);
    const mixed: GeneralJws = await signDocument(firstDraft(), ann, ROOT_TYP);
    const release = await signRelease(makeReleaseStatement(releasePlan()), [ann]);
    const forged = { payload: mixed.payload, signatures: release.signatures };
    await expect(signDocument(forged, ben, ROOT_TYP)).rejects.toThrow('typ');
  });

  it('does not believe a signature for its header', async () => {
    const byAnn = await signDocument(firstDraft(), ann, ROOT_TYP);
    const spoiled = byAnn.signatures.map((each) => ({ ...each, signature: 'AAAA' }));
    expect((await checkRoot({ ...byAnn, signatures: spoiled })).own.signed).toEqual([]);
  });
});

describe('newRoot', () => {
  it('publishes no private part of the keys it is given', () => {
    const text = Buffer.from(firstDraft().payload, 'base64url').toString('utf8');
    for (const key of [ann, ben, cai, ...RELEASE_KEYS]) expect(text).not.toContain(key.d);
  });

  it('says the same whatever the order of the keys', () => {
    const keys = { root: [cai, ben, ann], release: RELEASE_KEYS.toReversed() };
    expect(newRoot({ expires: FAR, keys, thresholds: { root: 2, release: 2 } })).toEqual(firstDraft());
  });

  it('refuses thresholds that cannot be met, a missing role and an expiry that is no time', () => {
    const keys = { root: [ann], release: RELEASE_KEYS };
    expect(() => newRoot({ expires: FAR, keys, thresholds: { root: 2 } })).toThrow('threshold');
    expect(() => newRoot({ expires: FAR, keys: { root: [ann] } })).toThrow(CeremonyError);
    expect(() => newRoot({ expires: 'in a year', keys })).toThrow('RFC 3339');
    expect(() => newRoot({ expires: FAR, keys: { ...keys, root: [ann, ann] } })).toThrow('each key id once');
  });
});

describe('rotateRoot', () => {
  async function rootOne(): Promise<GeneralJws> {
    return signDocument(await signDocument(firstDraft(), ann, ROOT_TYP), ben, ROOT_TYP);
  }

  it('keeps what is not changed and drops keys that no role names any more', async () => {
    const dan = newKey();
    const root2 = rotateRoot(await rootOne(), {
      expires: '2031-01-01T00:00:00Z',
      keys: { root: [ann, ben, dan] },
    });
    const payload = payloadOf(root2);
    expect(payload).toMatchObject({
      version: 2,
      expires: '2031-01-01T00:00:00Z',
      roles: { root: { threshold: 2 } },
    });
    expect(payload.roles.release).toEqual(payloadOf(await rootOne()).roles.release);
    const kept = [ann, ben, dan, ...RELEASE_KEYS].map((key) => String(key.kid));
    expect(Object.keys(payload.keys).toSorted()).toEqual(kept.toSorted());
  });

  it('says which of the old and of the new keys still have to sign', async () => {
    const root1 = await rootOne();
    const [dan, eve] = [newKey(), newKey()];
    const draft = rotateRoot(root1, { expires: FAR, keys: { root: [dan, eve] } });
    const byNew = await signDocument(await signDocument(draft, dan, ROOT_TYP), eve, ROOT_TYP);
    expect(await checkRoot(byNew, root1)).toMatchObject({
      complete: false,
      own: { met: true },
      previous: {
        met: false,
        threshold: 2,
        signed: [],
        missing: [ann, ben, cai].map((key) => key.kid).toSorted(),
      },
    });
    const byAll = await signDocument(await signDocument(byNew, ann, ROOT_TYP), cai, ROOT_TYP);
    expect(await checkRoot(byAll, root1)).toMatchObject({ complete: true });
    const { verify } = createReleaseVerifier({
      mode: 'required',
      tenant: 'acme',
      pinnedRoot: serialiseDocument(root1),
    });
    const statement = makeReleaseStatement(releasePlan({ root_version: 2 }));
    const signed = await signRelease(statement, RELEASE_KEYS as unknown as [PrivateJwk]);
    const verdict = await verify(snapshot({ ...rootFiles(byAll), [RELEASE_FILE]: signed }), EMPTY, NOW);
    expect(verdict).toMatchObject({ kind: 'verified', rootVersion: 2 });
  });

  it('adds and removes the roles that may be absent', async () => {
    const withTrigger = rotateRoot(await rootOne(), { expires: FAR, keys: { trigger: [cai] } });
    expect(payloadOf(withTrigger).roles.trigger).toEqual({ keyids: [cai.kid], threshold: 1 });
    const without = rotateRoot(withTrigger, { expires: FAR, keys: { trigger: [] } });
    expect(payloadOf(without).roles.trigger).toBeUndefined();
    expect(payloadOf(without).version).toBe(3);
  });

  it('is checked against its predecessor only', async () => {
    const root1 = await rootOne();
    await expect(checkRoot(root1, root1)).rejects.toThrow('version 2');
  });
});

describe('makeReleaseStatement', () => {
  it('binds the raw bytes of manifest and policy', () => {
    const statement = makeReleaseStatement(releasePlan({ policyBytes: Buffer.from('abc') }));
    expect(statement.policy).toEqual({
      sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      length: 3,
    });
    expect(Object.keys(makeReleaseStatement(releasePlan()))).not.toContain('policy');
  });

  it('refuses what agents would refuse for its form', () => {
    expect(() => makeReleaseStatement(releasePlan({ seq: 0 }))).toThrow('seq');
    expect(() => makeReleaseStatement(releasePlan({ tenant: 'Acme' }))).toThrow('tenant');
    expect(() => makeReleaseStatement(releasePlan({ expires: NOW.toISOString(), issued: FAR }))).toThrow(
      'expires after issued',
    );
  });
});

describe('a document on disk', () => {
  it('is the same text however it came about, with a line feed at the end', async () => {
    const draft = firstDraft();
    const text = serialiseDocument(draft);
    expect(text.endsWith('}\n')).toBe(true);
    expect(readDraft(text, 'draft')).toEqual(draft);
    const signed = await signDocument(draft, ann, ROOT_TYP);
    const shuffled = {
      signatures: signed.signatures.map(({ signature, protected: header }) => ({
        signature,
        protected: header,
      })),
      payload: signed.payload,
    };
    expect(serialiseDocument(shuffled)).toBe(serialiseDocument(signed));
    expect(readDraft(serialiseDocument(signed), 'signed')).toEqual(signed);
  });

  it('is refused by its file name when it is no document', () => {
    expect(() => readDraft('{}', 'root.json')).toThrow(/^root\.json: payload/);
    expect(() => readDraft('', 'root.json')).toThrow(CeremonyError);
  });
});
