import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EnrolAnswer, EnrolmentToken } from '../../schemas/enrolment.ts';
import { createManualClock } from '../../system/clock.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { signRequestToken } from '../../trust/request-token.ts';
import {
  addTenant,
  call,
  enrolAgent,
  enrolBody,
  git,
  type RunningConsole,
  rootDocument,
  startConsole,
  withBasic,
} from './running-console.ts';

let running: RunningConsole;
let enrolUrl: string;

beforeAll(async () => {
  running = await startConsole();
  enrolUrl = `${running.url}/edge/enroll`;
  await addTenant(running, 'acme');
  await addTenant(running, 'globex');
});
afterAll(async () => running[Symbol.asyncDispose]());

const newToken = (slug = 'acme', ttlMs?: number) => running.console.admin.makeEnrolmentToken({ slug, ttlMs });
const enrol = async (token: string, jwk = newKey()) =>
  call({ jwk, issuer: jwk.kid }, 'POST', enrolUrl, enrolBody(token, jwk));
const codeOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string } };
  return `${response.status} ${error.code}`;
};

describe('enrolment', () => {
  it('gives an agent its id, its git token, its root and where bundles may come from', async () => {
    const token = await newToken();
    const claims = EnrolmentToken.parse(decodeJwt(token));
    expect(claims.saas_url).toBe(running.url);
    const response = await enrol(token);
    expect(response.status).toBe(201);
    const answer = EnrolAnswer.parse(await response.json());
    expect(answer.tenant).toBe('acme');
    expect(createHash('sha256').update(answer.root).digest('hex')).toBe(claims.root_sha256);
    expect(answer.git.url).toBe(`${running.url}/git/acme.git`);
    expect(answer.artifacts?.allow).toEqual([`${running.url}/artifacts/acme/`]);
    await git(running.directory, 'ls-remote', withBasic(answer.git.url, answer.git.token ?? ''));
  });

  it('answers the same token and key with the same bytes, and makes one agent', async () => {
    const token = await newToken();
    const jwk = newKey();
    const before = (await running.console.admin.agents()).length;
    const answers = await Promise.all([enrol(token, jwk), enrol(token, jwk), enrol(token, jwk)]);
    const texts = await Promise.all(answers.map(async (answer) => answer.text()));
    expect(answers.map((answer) => answer.status)).toEqual([201, 201, 201]);
    expect(new Set(texts).size).toBe(1);
    expect(await running.console.admin.agents()).toHaveLength(before + 1);
  });

  it('keeps the pinned root of a token that is out when the tenant gets another root', async () => {
    const token = await newToken('globex');
    await running.console.admin.setRoot('globex', await rootDocument());
    const answer = EnrolAnswer.parse(await (await enrol(token)).json());
    expect(createHash('sha256').update(answer.root).digest('hex')).toBe(decodeJwt(token)['root_sha256']);
    expect(decodeJwt(await newToken('globex'))['root_sha256']).not.toBe(decodeJwt(token)['root_sha256']);
  });

  it('refuses a token that has served another key', async () => {
    const token = await newToken();
    await enrol(token);
    expect(await codeOf(await enrol(token))).toBe('409 token_used');
  });

  it('enrols one device again under its own id, and only in its own tenant', async () => {
    const jwk = newKey();
    const first = EnrolAnswer.parse(await (await enrol(await newToken(), jwk)).json());
    const second = EnrolAnswer.parse(await (await enrol(await newToken(), jwk)).json());
    expect(second.agent_id).toBe(first.agent_id);
    await expect(
      git(running.directory, 'ls-remote', withBasic(first.git.url, first.git.token ?? '')),
    ).rejects.toThrow();
    await git(running.directory, 'ls-remote', withBasic(second.git.url, second.git.token ?? ''));
    expect(await codeOf(await enrol(await newToken('globex'), jwk))).toBe('409 key_in_use');
  });

  it('gives a working git token when an earlier answer is asked for again', async () => {
    const jwk = newKey();
    const [early, late] = [await newToken(), await newToken()];
    const first = await (await enrol(early, jwk)).text();
    await enrol(late, jwk);
    const again = await (await enrol(early, jwk)).text();
    expect(again).toBe(first);
    const { git: source } = EnrolAnswer.parse(JSON.parse(again));
    await git(running.directory, 'ls-remote', withBasic(source.url, source.token ?? ''));
  });

  it('refuses a revoked device with any token', async () => {
    const jwk = newKey();
    const token = await newToken();
    const { agent_id } = EnrolAnswer.parse(await (await enrol(token, jwk)).json());
    await running.console.admin.revokeAgent(agent_id);
    expect(await codeOf(await enrol(token, jwk))).toBe('403 agent_revoked');
    expect(await codeOf(await enrol(await newToken(), jwk))).toBe('403 agent_revoked');
  });

  it('refuses tokens that are expired, altered, made elsewhere, or not ours in kind', async () => {
    const clock = createManualClock(new Date());
    await using late = await startConsole({ clock });
    await addTenant(late, 'acme');
    const expiring = await late.console.admin.makeEnrolmentToken({ slug: 'acme', ttlMs: 60_000 });
    const jwk = newKey();
    clock.set(new Date(Date.now() + 120_000));
    const url = `${late.url}/edge/enroll`;
    const proof = await signRequestToken({ jwk, issuer: jwk.kid, method: 'POST', url, now: clock.now() });
    const headers = { authorization: `Bearer ${proof}` };
    expect(
      await codeOf(await call({ jwk, issuer: jwk.kid }, 'POST', url, enrolBody(expiring, jwk), headers)),
    ).toBe('401 token_expired');

    const token = await newToken();
    const [head, payload, signature] = token.split('.') as [string, string, string];
    const claims = { ...decodeJwt(token), tenant: 'globex' };
    const swapped = `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    const foreign = await new SignJWT(decodeJwt(token))
      .setProtectedHeader({ alg: 'HS256', typ: 'edge-enrolment+jwt' })
      .sign(new Uint8Array(32));
    for (const bad of [
      swapped,
      none,
      foreign,
      'x.y.z',
      await late.console.admin.makeEnrolmentToken({ slug: 'acme' }),
    ]) {
      expect(await codeOf(await enrol(bad))).toBe('401 token_not_ours');
    }
  });

  it('asks for proof that the caller holds the key', async () => {
    const [jwk, other] = [newKey(), newKey()];
    const token = await newToken();
    const body = enrolBody(token, jwk);
    const bare = await fetch(enrolUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(await codeOf(bare)).toBe('401 credentials_missing');
    expect(await codeOf(await call({ jwk: other, issuer: jwk.kid }, 'POST', enrolUrl, body))).toBe(
      '401 signature_invalid',
    );
    expect(await codeOf(await call({ jwk: other, issuer: other.kid }, 'POST', enrolUrl, body))).toBe(
      '401 key_unknown',
    );
    // None of that has used the token up.
    expect((await enrol(token, jwk)).status).toBe(201);
  });

  it('takes each proof once', async () => {
    const jwk = newKey();
    const token = await newToken();
    const proof = await signRequestToken({
      jwk,
      issuer: jwk.kid,
      method: 'POST',
      url: enrolUrl,
      now: new Date(),
    });
    const headers = { authorization: `Bearer ${proof}` };
    const again = async () =>
      call({ jwk, issuer: jwk.kid }, 'POST', enrolUrl, enrolBody(token, jwk), headers);
    expect((await again()).status).toBe(201);
    expect(await codeOf(await again())).toBe('401 token_replayed');
  });

  it('names what is wrong in a body', async () => {
    const jwk = newKey();
    const body = { ...enrolBody(await newToken(), jwk), hostname: 7, device_jwk: { kty: 'RSA' } };
    const response = await call({ jwk, issuer: jwk.kid }, 'POST', enrolUrl, body);
    expect(response.status).toBe(422);
    const text = await response.text();
    expect(text).toContain('hostname');
    expect(text).toContain('device_jwk');
  });

  it('takes no device key that was sent with its private half', async () => {
    const jwk = newKey();
    const body = enrolBody(await newToken(), jwk);
    const sent = { ...body, device_jwk: { ...body.device_jwk, d: jwk.d } };
    const response = await call({ jwk, issuer: jwk.kid }, 'POST', enrolUrl, sent);
    expect(response.status).toBe(422);
    const text = await response.text();
    expect(text).toContain('the public half alone');
    expect(text).not.toContain(jwk.d);
  });

  it('keeps no token and no key in clear on disk, nor for others to read', async () => {
    const agent = await enrolAgent(running, 'acme');
    const { publisherToken } = await addTenant(running, 'initech');
    const data = join(running.directory, 'data');
    for (const name of await readdir(data)) {
      if (!name.startsWith('console.')) continue;
      expect([name, (await stat(join(data, name))).mode & 0o077]).toEqual([name, 0]);
      const bytes = await readFile(join(data, name), 'latin1');
      for (const secret of [agent.answer.git.token ?? 'none', publisherToken, running.apiKey, agent.jwk.d]) {
        expect([name, bytes.includes(secret)]).toEqual([name, false]);
      }
    }
  });

  it('survives a restart: the same answer, and every proof still only once', async () => {
    await using first = await startConsole();
    await addTenant(first, 'acme');
    const { port } = new URL(first.url);
    const token = await first.console.admin.makeEnrolmentToken({ slug: 'acme' });
    const jwk = newKey();
    const url = `${first.url}/edge/enroll`;
    const proof = await signRequestToken({ jwk, issuer: jwk.kid, method: 'POST', url, now: new Date() });
    const used = { authorization: `Bearer ${proof}` };
    const body = enrolBody(token, jwk);
    const before = await (await call({ jwk, issuer: jwk.kid }, 'POST', url, body, used)).json();
    await first.console.close();

    const dataDirectory = join(first.directory, 'data');
    await using second = await startConsole({ dataDirectory, port: Number(port) });
    expect(second.url).toBe(first.url);
    expect(await codeOf(await call({ jwk, issuer: jwk.kid }, 'POST', url, body, used))).toBe(
      '401 token_replayed',
    );
    expect(await (await call({ jwk, issuer: jwk.kid }, 'POST', url, body)).json()).toEqual(before);
  });
});

describe('a tenant', () => {
  it.each([
    ['no JSON', 'x'],
    ['no JWS', '{}'],
  ])('is not made with a root that is %s', async (_name, text) => {
    await expect(running.console.admin.addTenant({ slug: 'umbrella', rootDocument: text })).rejects.toThrow(
      /root\.jws\.json/,
    );
    expect((await running.console.admin.tenants()).map((tenant) => tenant.slug)).not.toContain('umbrella');
  });

  it('is not made with a root that its own keys have not signed', async () => {
    const document = JSON.parse(await rootDocument()) as { signatures: { signature: string }[] };
    const [first] = document.signatures;
    if (first !== undefined) first.signature = `${'A'.repeat(85)}A`;
    await expect(
      running.console.admin.addTenant({ slug: 'umbrella', rootDocument: JSON.stringify(document) }),
    ).rejects.toThrow(/distinct root keys/);
  });

  it.each(['Acme', 'a/b', '..', '', 'acme'])('is not made under the name "%s"', async (slug) => {
    const document = await rootDocument();
    await expect(running.console.admin.addTenant({ slug, rootDocument: document })).rejects.toThrow(
      /expected/,
    );
  });
});
