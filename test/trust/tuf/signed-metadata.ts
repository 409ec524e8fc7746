import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { canonicalJson } from '../../../trust/tuf/canonical-json.ts';

/** A key of a TUF repository, for tests that do without python-tuf. */
export interface TufTestKey {
  readonly id: string;
  readonly secret: KeyObject;
  readonly key: { keytype: 'ed25519'; scheme: 'ed25519'; keyval: { public: string } };
}

export function tufKey(id: string): TufTestKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const keyval = { public: der.subarray(-32).toString('hex') };
  return { id, secret: privateKey, key: { keytype: 'ed25519', scheme: 'ed25519', keyval } };
}

/** A metadata file, signed by the keys. */
export function tufFile(signed: object, keys: readonly TufTestKey[]): string {
  const bytes = canonicalJson(signed);
  const signatures = keys.map(({ id, secret }) => ({
    keyid: id,
    sig: sign(null, bytes, secret).toString('hex'),
  }));
  return JSON.stringify({ signatures, signed });
}

/** A root in which the keys, all of them, sign for every role. */
export function tufRoot(keys: readonly TufTestKey[], change: object = {}, signers = keys): string {
  const role = { keyids: keys.map(({ id }) => id), threshold: keys.length };
  const signed = {
    _type: 'root',
    spec_version: '1.0.31',
    version: 1,
    expires: '2030-01-01T00:00:00Z',
    consistent_snapshot: true,
    keys: Object.fromEntries(keys.map(({ id, key }) => [id, key])),
    roles: { root: role, timestamp: role, snapshot: role, targets: role },
    ...change,
  };
  return tufFile(signed, signers);
}
