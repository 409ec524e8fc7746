import { createPublicKey, verify } from 'node:crypto';
import { calculateJwkThumbprint, flattenedVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import type { PrivateJwk } from '../../schemas/jws.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import {
  importPublicKey,
  readSignedDocument,
  type SignedDocument,
  signPayload,
  validSigners,
} from '../../trust/jws.ts';
import { publicPart, thumbprint } from '../../trust/thumbprint.ts';

const TYP = 'edgeflows-release+jws';
/** RFC 8037, appendix A.1. */
const RFC_KEY: PrivateJwk = {
  kty: 'OKP',
  crv: 'Ed25519',
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
};

function read(document: unknown): ReturnType<typeof readSignedDocument> {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  return readSignedDocument(Buffer.from(text, 'utf8'), 'file', TYP);
}
function base64url(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}
async function signed(payload: string, ...keys: PrivateJwk[]) {
  const bytes = Buffer.from(payload, 'utf8');
  const signatures = await Promise.all(keys.map((key) => signPayload(bytes, key, TYP)));
  return { payload: bytes.toString('base64url'), signatures };
}
const listed = (...keys: PrivateJwk[]) => new Map(keys.map((key) => [thumbprint(key), publicPart(key)]));

describe('Ed25519 of RFC 8037', () => {
  it('gives the key of appendix A.1 the thumbprint of A.3', async () => {
    expect(thumbprint(RFC_KEY)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
    expect(thumbprint(RFC_KEY)).toBe(await calculateJwkThumbprint(RFC_KEY));
  });

  it('verifies the signature of A.4 with the key as imported here, and no other', async () => {
    const vector = {
      protected: 'eyJhbGciOiJFZERTQSJ9',
      payload: 'RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc',
      signature: 'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
    };
    const { payload } = await flattenedVerify(vector, await importPublicKey(publicPart(RFC_KEY)));
    expect(Buffer.from(payload).toString('utf8')).toBe('Example of Ed25519 signing');
    const other = await importPublicKey(publicPart(newKey()));
    await expect(flattenedVerify(vector, other)).rejects.toThrow('signature verification failed');
  });

  it('signs what any other implementation verifies', async () => {
    const payload = Buffer.from('statement');
    const signature = await signPayload(payload, RFC_KEY, TYP);
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: RFC_KEY.x }, format: 'jwk' });
    const input = Buffer.from(`${signature.protected}.${payload.toString('base64url')}`);
    expect(verify(null, input, key, Buffer.from(signature.signature, 'base64url'))).toBe(true);
    expect(JSON.parse(Buffer.from(signature.protected, 'base64url').toString())).toEqual({
      alg: 'Ed25519',
      kid: thumbprint(RFC_KEY),
      typ: TYP,
    });
  });
});

describe('the envelope of a signed document', () => {
  it('is read up to 512 KiB and refused a byte above', async () => {
    const document = await signed('x', RFC_KEY);
    const room = 512 * 1024 - JSON.stringify(document).length;
    expect(read(`${JSON.stringify(document)}${' '.repeat(room)}`).kind).toBe('read');
    expect(read(`${JSON.stringify(document)}${' '.repeat(room + 1)}`)).toMatchObject({
      code: 'document_too_large',
    });
  });

  it('carries 32 signatures at most', async () => {
    const { payload, signatures } = await signed('x', RFC_KEY);
    const many = (count: number) => ({
      payload,
      signatures: Array.from({ length: count }, () => signatures[0]),
    });
    expect(read(many(32)).kind).toBe('read');
    expect(read(many(33))).toMatchObject({ code: 'too_many_signatures' });
  });

  it.each([
    ['no JSON', () => 'release'],
    ['an array', () => '[]'],
    ['a name twice', () => '{"payload":"","payload":"","signatures":[]}'],
    ['no signature at all', () => ({ payload: 'eA', signatures: [] })],
    [
      'an unprotected header',
      ({ payload, signatures }) => ({ payload, signatures: [{ ...signatures[0], header: {} }] }),
    ],
    ['a member more', (document) => ({ ...document, extra: 1 })],
    ['the flattened form', ({ payload, signatures }) => ({ payload, ...signatures[0] })],
    ['a detached payload', ({ signatures }) => ({ signatures })],
  ] as [string, (document: Awaited<ReturnType<typeof signed>>) => unknown][])(
    'is refused with %s',
    async (_, change) => {
      expect(read(change(await signed('x', RFC_KEY)))).toMatchObject({ code: 'document_malformed' });
    },
  );

  it.each([
    ['padding', (text: string) => `${text}=`],
    ['a space', (text: string) => `${text.slice(0, 3)} ${text.slice(3)}`],
    ['a line feed at the end', (text: string) => `${text}\n`],
    ['the alphabet of base64', (text: string) => `+/${text.slice(2)}`],
    ['a length no bytes have', (text: string) => text.slice(0, text.length - (text.length % 4) + 1)],
    [
      'bits set that no byte uses',
      (text: string) => `${text.slice(0, -1)}${text.length % 4 === 2 ? 'h' : 'B'}`,
    ],
  ])('is refused with base64url that has %s', async (_, spoil) => {
    // One byte and 64 bytes leave two unused-bit digits, so that each spoiling bites.
    const { payload, signatures } = await signed('x', RFC_KEY);
    const first = signatures[0] as { protected: string; signature: string };
    expect(read({ payload: spoil(payload), signatures })).toMatchObject({ code: 'base64url_malformed' });
    const spoiled = { ...first, signature: spoil(first.signature) };
    expect(read({ payload, signatures: [spoiled] })).toMatchObject({ code: 'base64url_malformed' });
  });

  it.each([
    ['alg none', { alg: 'none' }, 'header_malformed'],
    ['the older name EdDSA', { alg: 'EdDSA' }, 'header_malformed'],
    ['HS256', { alg: 'HS256' }, 'header_malformed'],
    ['a key of its own', { jwk: publicPart(RFC_KEY) }, 'header_malformed'],
    ['jku', { jku: 'https://keys.example' }, 'header_malformed'],
    ['x5u', { x5u: 'https://keys.example' }, 'header_malformed'],
    ['crit', { crit: ['exp'] }, 'header_malformed'],
    ['b64', { b64: false }, 'header_malformed'],
    ['no kid', { kid: undefined }, 'header_malformed'],
    ['a kid of another form', { kid: '../../etc/passwd' }, 'header_malformed'],
    ['the typ of another document', { typ: 'edgeflows-root+jws' }, 'typ_mismatch'],
    ['a typ of somebody else', { typ: 'JWT' }, 'typ_mismatch'],
    ['no typ', { typ: undefined }, 'header_malformed'],
  ])('is refused with a header that has %s', async (_, change, code) => {
    const { payload, signatures } = await signed('x', RFC_KEY);
    const header = base64url(
      JSON.stringify({ alg: 'Ed25519', kid: thumbprint(RFC_KEY), typ: TYP, ...change }),
    );
    // The well-formed signature beside it does not help.
    const document = { payload, signatures: [...signatures, { protected: header, signature: 'AA' }] };
    expect(read(document)).toMatchObject({ kind: 'refused', code });
  });

  it('is refused with a header that says a name twice', async () => {
    const { payload } = await signed('x', RFC_KEY);
    const header = base64url(`{"alg":"none","alg":"Ed25519","kid":"${thumbprint(RFC_KEY)}","typ":"${TYP}"}`);
    expect(read({ payload, signatures: [{ protected: header, signature: 'AA' }] })).toMatchObject({
      code: 'header_malformed',
    });
  });
});

describe('validSigners', () => {
  const [a, b, c] = [newKey(), newKey(), newKey()];
  async function signers(
    document: unknown,
    keys: Map<string, ReturnType<typeof publicPart>>,
  ): Promise<string[]> {
    const found = read(document);
    expect(found.kind).toBe('read');
    return [...(await validSigners(found as SignedDocument, keys))].toSorted();
  }

  it('counts a key once however often it signed', async () => {
    expect(await signers(await signed('x', a, a, a), listed(a, b))).toEqual([a.kid]);
  });

  it('passes over unknown keys', async () => {
    expect(await signers(await signed('x', c, a), listed(a, b))).toEqual([a.kid]);
  });

  it('lets a wrong signature spoil nothing, not even for the same key', async () => {
    const { payload, signatures } = await signed('x', a, b);
    const wrong = { ...signatures[0], signature: Buffer.alloc(64, 7).toString('base64url') };
    const short = { ...signatures[1], signature: 'AAAA' };
    const document = { payload, signatures: [wrong, short, ...signatures] };
    expect(await signers(document, listed(a, b))).toEqual([a.kid, b.kid].toSorted());
  });

  it('does not take the signature of one key for another that the header names', async () => {
    const { payload, signatures } = await signed('x', a, b);
    const swapped = [
      { protected: signatures[0]?.protected, signature: signatures[1]?.signature },
      { protected: signatures[1]?.protected, signature: signatures[0]?.signature },
    ];
    expect(await signers({ payload, signatures: swapped }, listed(a, b))).toEqual([]);
  });

  it('takes nothing from a key that is no point of the curve', async () => {
    const document = await signed('x', a);
    const broken = { ...publicPart(a), x: Buffer.alloc(32, 0xff).toString('base64url') };
    expect(await signers(document, new Map([[a.kid, broken]]))).toEqual([]);
  });
});
