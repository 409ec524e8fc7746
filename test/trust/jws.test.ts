import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { calculateJwkThumbprint, compactVerify, flattenedVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import type { PrivateJwk } from '../../schemas/jws.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { ed25519HoldsInPool } from '../../trust/ed25519.ts';
import {
  compactSignatureHolds,
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

describe('compactSignatureHolds', () => {
  const [own, other] = [newKey(), newKey()];
  const secret = createPrivateKey({ key: { ...own }, format: 'jwk' });
  const payload = base64url('{"iss":"agent-1"}');
  /** Signed by the key as it says, whatever that is. */
  function compact(header: object | string): string {
    const input = `${base64url(typeof header === 'string' ? header : JSON.stringify(header))}.${payload}`;
    return `${input}.${sign(null, Buffer.from(input), secret).toString('base64url')}`;
  }
  const good = compact({ alg: 'Ed25519', typ: 'x' });
  const [head = '', , tail = ''] = good.split('.');

  it('takes what the key signed, decided as jose does, and for no other key', async () => {
    expect(compactSignatureHolds(good, own)).toBe(true);
    expect(compactSignatureHolds(good, { ...other, alg: 'Ed25519', use: 'sig' })).toBe(false);
    const byJose = (key: PrivateJwk) =>
      importPublicKey(publicPart(key)).then((imported) => compactVerify(good, imported));
    await expect(byJose(own)).resolves.toMatchObject({ protectedHeader: { alg: 'Ed25519' } });
    await expect(byJose(other)).rejects.toThrow('signature verification failed');
  });

  it.each([
    ['the older alg', { alg: 'EdDSA' }],
    ['no alg', { typ: 'x' }],
    ['alg none', { alg: 'none' }],
    ['an extension that has to be understood', { alg: 'Ed25519', b64: false, crit: ['b64'] }],
    ['an extension list without entries', { alg: 'Ed25519', crit: [] }],
    ['a name twice', '{"alg":"none","alg":"Ed25519"}'],
    ['no object', '"Ed25519"'],
    ['null', 'null'],
    ['no JSON', 'Ed25519'],
  ])('refuses a header with %s, though the key signed it', (_, header) => {
    expect(compactSignatureHolds(compact(header), own)).toBe(false);
  });

  it.each([
    ['padding', `${good}==`],
    ['a space', `${good} `],
    ['a line feed', `${good}\n`],
    ['a fourth part', `${good}.`],
    ['two parts', `${head}.${payload}`],
    ['no signature', `${head}.${payload}.`],
    ['another payload', `${head}.${base64url('{"iss":"agent-2"}')}.${tail}`],
    // The next digit has the same bits that count.
    [
      'bits set that no byte uses',
      `${good.slice(0, -1)}${String.fromCharCode(good.charCodeAt(good.length - 1) + 1)}`,
    ],
    ['a signature with a byte more', `${head}.${payload}.${lengthened(tail)}`],
    ['a signature without its last byte', `${head}.${payload}.${shortened(tail)}`],
    ['the group order added to the S of the signature', `${head}.${payload}.${withOrderAdded(tail)}`],
  ])('refuses %s', (_, jws) => {
    expect(compactSignatureHolds(jws, own)).toBe(false);
  });

  it('takes nothing from a key of small order or none, in any encoding, as Web Crypto does not', async () => {
    for (const point of SMALL_ORDER) {
      const key = publicPart({ ...own, x: Buffer.from(point, 'hex').toString('base64url') });
      const imported = await importPublicKey(key);
      for (const [each, r] of SMALL_ORDER.entries()) {
        // With S = 0 the equation holds for one message in eight at least, where nobody looks at the order.
        const input = `${base64url(JSON.stringify({ alg: 'Ed25519', typ: String(each) }))}.${payload}`;
        const signature = Buffer.concat([Buffer.from(r, 'hex'), Buffer.alloc(32)]);
        const jws = `${input}.${signature.toString('base64url')}`;
        expect({ point, r, holds: compactSignatureHolds(jws, key) }).toEqual({ point, r, holds: false });
        expect({ point, r, inPool: await ed25519HoldsInPool(input, signature, key) }).toEqual({
          point,
          r,
          inPool: false,
        });
        await expect(compactVerify(jws, imported)).rejects.toThrow('signature verification failed');
      }
    }
  });
});

/** The points of small order, as RFC 8032 encodes them and as it does not (Chalkias et al., "Taming the many EdDSAs", 2020). */
const SMALL_ORDER = [
  `01${'00'.repeat(31)}`,
  `01${'00'.repeat(30)}80`,
  `ec${'ff'.repeat(30)}7f`,
  `ec${'ff'.repeat(30)}ff`,
  '00'.repeat(32),
  `${'00'.repeat(31)}80`,
  `ed${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}ff`,
  `ee${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}ff`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
];

function lengthened(signature: string): string {
  return Buffer.concat([Buffer.from(signature, 'base64url'), Buffer.alloc(1)]).toString('base64url');
}

function shortened(signature: string): string {
  return Buffer.from(signature, 'base64url').subarray(0, -1).toString('base64url');
}

/** The same signature to whoever does not compare S with L (RFC 8032, section 5.1.7, step 1). */
function withOrderAdded(signature: string): string {
  const bytes = Buffer.from(signature, 'base64url');
  const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
  const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + order;
  const added = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  return Buffer.concat([bytes.subarray(0, 32), added]).toString('base64url');
}
