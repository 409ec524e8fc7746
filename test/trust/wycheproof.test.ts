import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PrivateJwk, PublicJwk } from '../../schemas/jws.ts';
import { commandSignatureHolds, readCommandEnvelope } from '../../trust/command-envelope.ts';
import { createCommandVerifier } from '../../trust/command-verifier.ts';
import { ed25519HoldsInPool } from '../../trust/ed25519.ts';
import { importPublicKey, readSignedDocument } from '../../trust/jws.ts';
import { verifyRequestToken } from '../../trust/request-token.ts';
import { parseRoot } from '../../trust/root.ts';
import { thumbprint } from '../../trust/thumbprint.ts';
import { AGENT, rootWithTrigger } from './signed-commands.ts';
import { EMPTY, FAR, NOW } from './signed-files.ts';

/** One file of test/fixtures/wycheproof; its README says where it comes from. */
interface Vectors<Group, Vector> {
  readonly numberOfTests: number;
  readonly testGroups: readonly (Group & { readonly tests: readonly (Vector & Told)[] })[];
}
interface Told {
  readonly tcId: number;
  readonly comment: string;
  readonly result: 'valid' | 'invalid' | 'acceptable';
}
interface SignedJson {
  /** Compact, or an object in JSON serialisation. */
  readonly jws?: string | object;
  readonly jwe?: string | object;
}
interface KeysOfGroup {
  readonly comment: string;
  readonly private?: object;
  readonly public?: object;
}

function read<Group, Vector>(file: string): Vectors<Group, Vector> {
  const text = readFileSync(new URL(`../fixtures/wycheproof/${file}`, import.meta.url), 'utf8');
  return JSON.parse(text) as Vectors<Group, Vector>;
}

/** Every vector with its group; as many as the file says, and as many as it had when this was written. */
function vectorsOf<Group, Vector>(file: string, count: number) {
  const { numberOfTests, testGroups } = read<Group, Vector>(file);
  const vectors = testGroups.flatMap((group) => group.tests.map((vector) => ({ group, vector })));
  expect({ file, said: numberOfTests, read: vectors.length }).toEqual({ file, said: count, read: count });
  return vectors;
}

describe('Wycheproof, Ed25519', () => {
  type Group = { readonly publicKey: { readonly pk: string }; readonly publicKeyJwk: object };
  type Vector = { readonly msg: string; readonly sig: string };
  const vectors = vectorsOf<Group, Vector>('ed25519_test.json', 151);

  it('is decided as it says, by the checks of commands, of calls and of signed documents: 88 hold, 63 do not', async () => {
    const told = { valid: 0, invalid: 0, acceptable: 0 };
    for (const { group, vector } of vectors) {
      const key = PublicJwk.parse(group.publicKeyJwk);
      const message = Buffer.from(vector.msg, 'hex');
      const signature = Buffer.from(vector.sig, 'hex');
      const envelope = {
        kind: 'read',
        kid: thumbprint(key),
        signingInput: message.toString('latin1'),
        signature,
        payload: Buffer.alloc(0),
      } as const;
      const byCommands = commandSignatureHolds(envelope, key);
      const byCalls = await ed25519HoldsInPool(envelope.signingInput, signature, key);
      const byDocuments = await crypto.subtle.verify(
        'Ed25519',
        await importPublicKey(key),
        signature,
        message,
      );
      expect({ tcId: vector.tcId, byCommands, byCalls, byDocuments }).toEqual({
        tcId: vector.tcId,
        byCommands: vector.result === 'valid',
        byCalls: vector.result === 'valid',
        byDocuments: vector.result === 'valid',
      });
      told[vector.result] += 1;
    }
    expect(told).toEqual({ valid: 88, invalid: 63, acceptable: 0 });
  });

  it('has keys that are read as the bytes they are', () => {
    const keys = new Set<string>();
    for (const { group } of vectors) {
      const key = PublicJwk.parse(group.publicKeyJwk);
      expect(Buffer.from(key.x, 'base64url').toString('hex')).toBe(group.publicKey.pk);
      keys.add(thumbprint(key));
    }
    expect(keys.size).toBe(new Set(vectors.map(({ group }) => group.publicKey.pk)).size);
  });
});

describe('Wycheproof, JSON Web Signature', () => {
  it.each([
    [
      'json_web_signature_test.json',
      401,
      { alg_not_allowed: 363, base64url_malformed: 14, command_malformed: 18, header_malformed: 6 },
    ],
    ['json_web_key_test.json', 26, { alg_not_allowed: 26 }],
    ['json_web_crypto_test.json', 83, { alg_not_allowed: 25, command_malformed: 52, header_malformed: 6 }],
  ])(
    '%s is refused, all %i, by every reader of ours: its algorithms are not Ed25519',
    async (file, count, expected) => {
      const { text, trigger } = await rootWithTrigger();
      const commands = createCommandVerifier({ pinnedRoot: text, tenant: 'acme' });
      const at = { memory: EMPTY, now: NOW, agentId: AGENT, stateSince: new Date(0) };
      const codes: Record<string, number> = {};
      for (const { vector } of vectorsOf<KeysOfGroup, SignedJson>(file, count)) {
        const sent = vector.jws ?? vector.jwe;
        if (sent === undefined) throw new Error(`expected a jws or a jwe in ${file}, ${vector.tcId}`);
        const token = typeof sent === 'string' ? sent : JSON.stringify(sent);

        const envelope = readCommandEnvelope(token);
        const command = await commands.verify(token, at);
        if (envelope.kind !== 'refused' || command.kind !== 'refused')
          throw new Error(`${file} ${vector.tcId} was taken for a command`);
        expect(command.code).toBe(envelope.code);
        codes[command.code] = (codes[command.code] ?? 0) + 1;

        for (const typ of ['edgeflows-release+jws', 'edgeflows-root+jws'] as const) {
          expect(readSignedDocument(Buffer.from(token), file, typ)).toMatchObject({ kind: 'refused' });
          expect(readSignedDocument(asGeneral(token), file, typ)).toMatchObject({ kind: 'refused' });
        }
        const call = await verifyRequestToken({
          token,
          method: 'POST',
          url: 'https://saas.example/edge/notify',
          now: NOW,
          findKey: () => trigger,
          takeOnce: () => true,
        });
        expect(call).toMatchObject({ kind: 'refused', code: 'token_malformed' });
      }
      expect(codes).toEqual(expected);
    },
  );
});

describe('Wycheproof, JSON Web Key', () => {
  it.each([
    ['json_web_key_test.json', 26],
    ['json_web_signature_test.json', 401],
    ['json_web_crypto_test.json', 83],
  ])(
    '%s has no key of ours: RSA, EC, symmetric ones and sets are refused alone and in a root',
    (file, count) => {
      const groups = new Set(vectorsOf<KeysOfGroup, SignedJson>(file, count).map(({ group }) => group));
      let keys = 0;
      for (const key of [...groups].flatMap((group) =>
        [group.private, group.public].filter((one) => one !== undefined),
      )) {
        const members = (key as { keys?: object[] }).keys ?? [];
        for (const one of [key, ...members]) {
          keys += 1;
          expect(PublicJwk.safeParse(one).success).toBe(false);
          expect(PrivateJwk.safeParse(one).success).toBe(false);
          expect(parseRoot(rootListing(one), 'root')).toMatchObject({
            kind: 'refused',
            code: 'root_malformed',
          });
        }
      }
      expect(keys).toBeGreaterThanOrEqual(groups.size);
    },
  );
});

/** The same claims, header and signature in the serialisation that signed documents have. */
function asGeneral(compact: string): Uint8Array {
  const [header, payload, signature] = compact.split('.');
  return Buffer.from(JSON.stringify({ payload, signatures: [{ protected: header, signature }] }));
}

function rootListing(key: object): Uint8Array {
  const role = { keyids: ['k'], threshold: 1 };
  const root = {
    type: 'edgeflows-root/v1',
    version: 1,
    expires: FAR,
    keys: { k: key },
    roles: { root: role, release: role },
  };
  return Buffer.from(JSON.stringify(root));
}
