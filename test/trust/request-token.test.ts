import { decodeJwt, decodeProtectedHeader, importJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { newKey } from '../../trust/ceremony/new-key.ts';
import {
  type RequestTokenExpectation,
  signRequestToken,
  verifyRequestToken,
} from '../../trust/request-token.ts';
import { publicPart } from '../../trust/thumbprint.ts';

const NOW = new Date('2026-11-20T15:00:00Z');
const SECONDS = NOW.getTime() / 1_000;
const URL_CALLED = 'https://saas.example/edge/notify?attempt=2';
const JWK = newKey();

function sign(change: { now?: Date; url?: string; method?: string } = {}): Promise<string> {
  return signRequestToken({
    jwk: JWK,
    issuer: 'agent-1',
    method: 'POST',
    url: URL_CALLED,
    now: NOW,
    ...change,
  });
}

/** A token with claims and header of any kind, signed by the device key. */
async function forge(claims: JWTPayload, header: Record<string, unknown> = {}): Promise<string> {
  const whole = { ...decodeJwt(await sign()), ...claims };
  const alg = { alg: 'Ed25519', typ: 'edge-agent+jwt', ...header };
  return new SignJWT(whole).setProtectedHeader(alg).sign(await importJWK(JWK, 'Ed25519'));
}

function verifier() {
  const taken = new Map<string, Date>();
  const verify = (token: string, change: Partial<RequestTokenExpectation> = {}) =>
    verifyRequestToken({
      token,
      method: 'POST',
      url: URL_CALLED,
      now: NOW,
      findKey: (issuer) => (issuer === 'agent-1' ? publicPart(JWK) : null),
      takeOnce: (issuer, jti, expires) => {
        const isNew = !taken.has(`${issuer} ${jti}`);
        taken.set(`${issuer} ${jti}`, expires);
        return isNew;
      },
      ...change,
    });
  return { taken, verify };
}

describe('signRequestToken', () => {
  it('says who calls what where, for at most five minutes, and nothing of the query', async () => {
    const token = await sign({ method: 'post' });
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'Ed25519', typ: 'edge-agent+jwt' });
    const claims = decodeJwt(token);
    expect(claims).toEqual({
      iss: 'agent-1',
      sub: 'agent-1',
      aud: 'https://saas.example',
      htm: 'POST',
      htu: 'https://saas.example/edge/notify',
      iat: SECONDS,
      exp: expect.any(Number),
      jti: expect.any(String),
    });
    expect((claims.exp as number) - SECONDS).toBeGreaterThan(0);
    expect((claims.exp as number) - SECONDS).toBeLessThanOrEqual(300);
    expect(decodeJwt(await sign()).jti).not.toBe(claims.jti);
  });

  it('keeps a port in the audience', async () => {
    const token = await sign({ url: 'http://127.0.0.1:8080/edge/status' });
    expect(decodeJwt(token)).toMatchObject({
      aud: 'http://127.0.0.1:8080',
      htu: 'http://127.0.0.1:8080/edge/status',
    });
  });
});

describe('verifyRequestToken', () => {
  it('names the agent of a good token, once', async () => {
    const { verify, taken } = verifier();
    const token = await sign();
    expect(await verify(token)).toMatchObject({ kind: 'verified', issuer: 'agent-1' });
    expect(await verify(token)).toMatchObject({ kind: 'refused', code: 'token_replayed' });
    // It is remembered for as long as it could be shown again.
    const [forget] = taken.values();
    expect(forget?.getTime()).toBeGreaterThanOrEqual((decodeJwt(token).exp as number) * 1_000 + 60_000);
  });

  it('takes an issuer that is a thumbprint, for enrolment', async () => {
    const token = await signRequestToken({
      jwk: JWK,
      issuer: JWK.kid,
      method: 'POST',
      url: URL_CALLED,
      now: NOW,
    });
    const findKey = (issuer: string) => (issuer === JWK.kid ? publicPart(JWK) : null);
    expect(await verifier().verify(token, { findKey })).toMatchObject({ kind: 'verified', issuer: JWK.kid });
  });

  it.each([
    ['another method', { method: 'GET' }, 'request_mismatch'],
    ['another path', { url: 'https://saas.example/edge/status' }, 'request_mismatch'],
    ['another origin', { url: 'https://other.example/edge/notify' }, 'audience_mismatch'],
    ['another port', { url: 'https://saas.example:8443/edge/notify' }, 'audience_mismatch'],
    ['an unknown agent', { findKey: () => null }, 'key_unknown'],
    ['the key of another agent', { findKey: () => publicPart(newKey()) }, 'signature_invalid'],
    ['a clock six minutes later', { now: new Date(NOW.getTime() + 360_000) }, 'token_expired'],
    ['a clock two minutes earlier', { now: new Date(NOW.getTime() - 120_000) }, 'token_not_yet_valid'],
  ] as [string, Partial<RequestTokenExpectation>, string][])(
    'refuses it for %s, and does not use it up',
    async (_, change, code) => {
      const { verify, taken } = verifier();
      const token = await sign();
      expect(await verify(token, change)).toMatchObject({ kind: 'refused', code });
      expect(taken.size).toBe(0);
      expect(await verify(token)).toMatchObject({ kind: 'verified' });
    },
  );

  it('lets the clocks differ by a minute, or by what it is told', async () => {
    const { verify } = verifier();
    const early = await sign({ now: new Date(NOW.getTime() + 59_000) });
    expect(await verify(early, { toleranceMs: 0 })).toMatchObject({ code: 'token_not_yet_valid' });
    expect(await verify(early)).toMatchObject({ kind: 'verified' });
  });

  it.each([
    ['a life of more than five minutes', { exp: SECONDS + 301 }, {}, 'claims_invalid'],
    ['an end before its beginning', { exp: SECONDS - 10, iat: SECONDS }, {}, 'claims_invalid'],
    ['a subject that is not its issuer', { sub: 'agent-2' }, {}, 'claims_invalid'],
    ['several audiences', { aud: ['https://saas.example', 'https://x.example'] }, {}, 'claims_invalid'],
    ['no jti', { jti: undefined }, {}, 'claims_invalid'],
    ['no expiry', { exp: undefined }, {}, 'claims_invalid'],
    ['an issuer of another form', { iss: 'a/../b' }, {}, 'claims_invalid'],
    ['the query in htu', { htu: URL_CALLED }, {}, 'request_mismatch'],
    ['the typ of another token', {}, { typ: 'JWT' }, 'token_malformed'],
    ['the older alg', {}, { alg: 'EdDSA' }, 'token_malformed'],
    ['a key of its own', {}, { jwk: publicPart(JWK) }, 'token_malformed'],
    ['a kid that points somewhere', {}, { kid: '/dev/null' }, 'token_malformed'],
  ])('refuses %s, though the agent signed it', async (_, claims, header, code) => {
    const { verify } = verifier();
    expect(await verify(await forge({}))).toMatchObject({ kind: 'verified' });
    expect(await verify(await forge(claims as JWTPayload, header))).toMatchObject({ kind: 'refused', code });
  });

  it('refuses alg none, HMAC with the public key, spoiled forms and rubbish', async () => {
    const { verify } = verifier();
    const claims = decodeJwt(await sign());
    const none = new UnsecuredJWT(claims).encode();
    const secret = Buffer.from(publicPart(JWK).x.padEnd(64, '='));
    const hmac = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', typ: 'edge-agent+jwt' })
      .sign(secret);
    const token = await sign();
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const bad = [
      none,
      hmac,
      '',
      '..',
      'a.b',
      `${token}=`,
      `${token} `,
      `${token}.x`,
      `${header}.${payload}.`,
    ];
    for (const each of [...bad, 'x'.repeat(9_000), `${header}..${signature}`]) {
      expect(await verify(each)).toMatchObject({ kind: 'refused' });
    }
  });

  it('refuses a token with any one character changed', async () => {
    const { verify } = verifier();
    const token = await sign();
    for (let at = 0; at < token.length; at += 1) {
      const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
      expect((await verify(changed)).kind).toBe('refused');
    }
  });
});
