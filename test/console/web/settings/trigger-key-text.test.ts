import { generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { triggerKeyIn } from '../../../../console/web/pages/settings/trigger-key-text.ts';

const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
const { d: _private, ...half } = jwk;

it('takes a private key as it is written, and nothing beside it', () => {
  expect(triggerKeyIn(`${JSON.stringify({ ...jwk, kid: 'x' }, null, 2)}\n`)).toEqual({
    kind: 'key',
    key: jwk,
  });
});

it.each([
  ['', 'missing'],
  ['  \n', 'missing'],
  ['-----BEGIN PRIVATE KEY-----', 'not_json'],
  [JSON.stringify(half), 'public'],
  [JSON.stringify({ kty: 'EC', crv: 'P-256', x: 'x', d: 'd' }), 'wrong'],
  [JSON.stringify({ ...jwk, d: 1 }), 'wrong'],
  ['null', 'wrong'],
  ['[]', 'wrong'],
])('says what else it is: %j is %s', (text, kind) => {
  expect(triggerKeyIn(text)).toEqual({ kind });
});
