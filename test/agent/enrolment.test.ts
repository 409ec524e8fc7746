import { chmod, readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EnrolmentOrder, enrol } from '../../agent/enrolment.ts';
import type { OperationError } from '../../agent/operation-error.ts';
import { TRUST_DOCUMENT } from '../../agent/trust-memory.ts';
import type { TrustMemory } from '../../reconciler/ports.ts';
import type { EnrolAnswer, EnrolRequest } from '../../schemas/enrolment.ts';
import { openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { acquireLock } from '../../store/state-lock.ts';
import { serialiseDocument } from '../../trust/ceremony/draft.ts';
import { newRoot } from '../../trust/ceremony/root-draft.ts';
import { sha256Hex } from '../../trust/jws.ts';
import { verifyRequestToken } from '../../trust/request-token.ts';
import { createCredentialsTrustFile } from '../../trust/trust-state-file.ts';
import { makeCertificate } from '../support/certificate.ts';
import { answering, type LoopbackServer, startHttpServer } from '../support/http-server.ts';
import { type SaasCall, type SaasServer, startSaasServer } from '../support/saas-server.ts';
import { EMPTY, FAR, firstRoot, makeKeys, nextRoot } from '../trust/signed-files.ts';
import { tufKey, tufRoot } from '../trust/tuf/signed-metadata.ts';
import { type CeremonyFolder, ceremonyFolder, failureOf } from './ceremony-folder.ts';

const keys = makeKeys(1, 1);
const rootText = serialiseDocument(await firstRoot(keys));
const ENROL = '/edge/enroll';
const BRANCH = '/api/branch-exists';

let folder: CeremonyFolder;
let saas: SaasServer;
beforeEach(async () => {
  folder = await ceremonyFolder();
  saas = await startSaasServer();
  saas.answer(ENROL, { status: 201, body: answer() });
  saas.answer(BRANCH, { status: 200, body: {} });
});
afterEach(async () => {
  await saas[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

function answer(change: Partial<EnrolAnswer> = {}): EnrolAnswer {
  const git = { url: `${saas.origin}/git/acme.git`, token: 'git-secret' };
  return { agent_id: 'agent-1', tenant: 'acme', git, root: rootText, ...change };
}

async function token(change: Record<string, unknown> = {}): Promise<string> {
  const exp = Math.floor(Date.now() / 1_000) + 600;
  const claims = {
    tenant: 'acme',
    saas_url: saas.origin,
    root_sha256: sha256Hex(Buffer.from(rootText)),
    exp,
    jti: 'one',
    ...change,
  };
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.alloc(32));
}

const start = async (change: Partial<EnrolmentOrder> = {}, signal = new AbortController().signal) =>
  enrol(
    {
      token: await token(),
      configFile: folder.at('agent.yaml'),
      credentialsDir: null,
      // never the agent of whoever runs the tests
      cacheDir: folder.at('cache'),
      caFile: null,
      proxy: null,
      force: false,
      locale: 'en',
      now: () => new Date(),
      ...change,
    },
    signal,
  );
const KEY_ALONE = ['credentials', join('credentials', 'device.jwk')];
const left = async () => (await readdir(folder.path, { recursive: true })).toSorted();
const requestOf = (call: SaasCall | undefined) => call?.body as unknown as EnrolRequest;

describe('enrolment', () => {
  it('proves that it holds the device key, and speaks as the agent afterwards', async () => {
    const clear = await token();
    await start({ token: ` ${clear}\n` });
    const [call] = saas.to(ENROL);
    const request = requestOf(call);
    expect(request).toMatchObject({ token: clear, device_jwk: { kty: 'OKP', crv: 'Ed25519' } });
    expect(Object.keys(request.device_jwk)).not.toContain('d');
    const verify = async (of: SaasCall | undefined, method: string) =>
      verifyRequestToken({
        token: String(of?.headers.authorization).replace(/^Bearer /, ''),
        method,
        url: `${saas.origin}${of?.path}`,
        now: new Date(),
        findKey: () => request.device_jwk,
        takeOnce: () => true,
      });
    expect(await verify(call, 'POST')).toMatchObject({ kind: 'verified', issuer: request.device_jwk.kid });
    expect(await verify(saas.to(BRANCH)[0], 'GET')).toMatchObject({ kind: 'verified', issuer: 'agent-1' });
  });

  it('keeps what the answer brings, and the tunnel and the artifact store in agent.yaml', async () => {
    const artifacts = {
      allow: ['s3://edge/acme'],
      endpoint: 'https://minio.example',
      access_key: 'AK',
      secret_key: 'SK',
    };
    saas.answer(ENROL, { status: 201, body: answer({ artifacts, tunnel_url: 'wss://tunnel.example/edge' }) });
    await start();
    expect(JSON.parse(await folder.read('credentials/artifacts.json'))).toEqual({
      access_key: 'AK',
      secret_key: 'SK',
    });
    expect(await folder.read('credentials/git-token')).toBe('git-secret\n');
    expect(await folder.read('credentials/root.jws.json')).toBe(rootText);
    const text = await folder.read('agent.yaml');
    expect(text).toContain('  allow:\n    - s3://edge/acme\n  endpoint: https://minio.example\n');
    expect(text).toContain('tunnel:\n  kind: websocket\n  url: wss://tunnel.example/edge\n');
    expect(text).not.toMatch(/SK|git-secret/);
  });

  it('believes no answer with another root, and keeps nothing of it', async () => {
    const other = serialiseDocument(await firstRoot(keys, {}, '2031-01-01T00:00:00Z'));
    saas.answer(ENROL, { status: 201, body: answer({ root: other }) });
    expect(await failureOf(start())).toMatch(/^3 expected the root with sha256/);
    expect(await left()).toEqual(KEY_ALONE);
    expect(saas.to(BRANCH)).toEqual([]);
  });

  it('believes no answer for another tenant, and no root that its keys have not signed', async () => {
    saas.answer(ENROL, { status: 201, body: answer({ tenant: 'globex' }) });
    expect(await failureOf(start())).toMatch(/^3 .*globex/);
    const root = serialiseDocument({ ...newRoot({ expires: FAR, keys }), signatures: [] });
    saas.answer(ENROL, { status: 201, body: answer({ root }) });
    const pinned = await token({ root_sha256: sha256Hex(Buffer.from(root)) });
    expect(await failureOf(start({ token: pinned }))).toMatch(/^3 .*root keys/);
    expect(await left()).toEqual(KEY_ALONE);
  });

  it('is repeated with the same key after an answer that was lost', async () => {
    saas.answer(ENROL, ['cut', { status: 201, body: answer() }]);
    expect(await failureOf(start())).toMatch(/^5 .*same token/);
    expect(await left()).toEqual(KEY_ALONE);
    await start();
    const [first, second] = saas.to(ENROL).map(requestOf);
    expect(second?.device_jwk).toEqual(first?.device_jwk);
  });

  it('names what follows from an answer: a person must act, or try later', async () => {
    const body = { error: { code: 'token_used', message: 'found one that has served\u001b[2J another key' } };
    const cases: [number, unknown, RegExp][] = [
      [401, {}, /^4 /],
      [403, {}, /^4 /],
      [409, body, /^4 .*has served \[2J another key/],
      [404, 'not here', /^4 /],
      [302, '', /^4 .*redirect/],
      [429, {}, /^5 /],
      [503, 'down', /^5 /],
      [201, { agent_id: 'agent-1' }, /^5 .*another document/],
    ];
    for (const [status, body, told] of cases) {
      saas.answer(ENROL, { status, body });
      expect(await failureOf(start())).toMatch(told);
    }
    saas.answer(ENROL, { status: 201, body: answer() });
    saas.answer(BRANCH, { status: 500, body: {} });
    expect(await failureOf(start())).toMatch(/^5 .*tenant\/acme/);
    expect(await left()).toEqual(KEY_ALONE);
  });

  it('says what is wrong with a token before it asks anybody', async () => {
    expect(await failureOf(start({ token: '' }))).toMatch(/^2 .*nothing/);
    expect(await failureOf(start({ token: 'abc' }))).toMatch(/^2 .*three parts/);
    expect(await failureOf(start({ token: await token({ root_sha256: 'x' }) }))).toMatch(/^2 .*root_sha256/);
    const plain = await token({ saas_url: 'http://console.example' });
    expect(await failureOf(start({ token: plain }))).toMatch(/^2 .*https/);
    expect(saas.calls).toEqual([]);
    expect(await left()).toEqual([]);
  });

  it('proves itself by the clock of the console where its own is wrong', async () => {
    const behind = () => new Date(Date.now() - 3_600_000);
    saas.answer(ENROL, (call) => {
      const claims = String(call.headers.authorization).split('.')[1] as string;
      const { iat } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { iat: number };
      const late = Math.abs(iat - Date.now() / 1_000) > 60;
      return late ? { status: 401, body: {} } : { status: 201, body: answer() };
    });
    expect(await start({ now: behind })).toMatchObject({ agent_id: 'agent-1' });
    // by this clock the token is long over: that is for the console to say
    const ahead = () => new Date(Date.now() + 10 * 365 * 86_400_000);
    expect(await start({ now: ahead })).toMatchObject({ agent_id: 'agent-1' });
    saas.answer(ENROL, { status: 401, body: {} });
    expect(await failureOf(start({ now: behind }))).toMatch(/^4 .*clock is 3\d{3} s behind/);
  });

  it('replaces the configuration of another agent only when told to, and keeps a copy of it', async () => {
    await start();
    const before = await folder.read('agent.yaml');
    saas.answer(ENROL, { status: 201, body: answer({ agent_id: 'agent-2' }) });
    expect(await failureOf(start())).toMatch(/^2 .*agent-1.*--force/);
    expect(await folder.read('agent.yaml')).toBe(before);
    await start({ force: true });
    expect(await folder.read('agent.yaml')).toContain('agent_id: agent-2');
    expect(await folder.read('agent.yaml.bak')).toBe(before);

    const asked = saas.to(ENROL).length;
    const globex = await token({ tenant: 'globex' });
    expect(await failureOf(start({ token: globex }))).toMatch(/^2 .*tenant globex/);
    await folder.write('agent.yaml', 'tenant: [');
    expect(await failureOf(start())).toMatch(/^2 [^]*--force/);
    expect(saas.to(ENROL)).toHaveLength(asked);
  });

  it('brings the configuration of the same agent up to date and leaves the rest of it alone', async () => {
    await start();
    const mine = 'labels: { ring: canary } # by hand\nruns:\n  concurrency: 5\n';
    await folder.write('agent.yaml', `${await folder.read('agent.yaml')}\n# mine\n${mine}`);
    const moved = { url: `${saas.origin}/elsewhere/acme.git`, token: 'git-secret-2' };
    saas.answer(ENROL, { status: 201, body: answer({ git: moved }) });
    await start();
    const text = await folder.read('agent.yaml');
    expect(text).toContain(`url: ${moved.url}`);
    expect(text).toContain(`# mine\n${mine}`);
    expect(await folder.read('credentials/git-token')).toBe('git-secret-2\n');
  });

  it('closes a credentials folder that others can look into, and uses no key that others can read', async () => {
    await start();
    await chmod(folder.at('credentials'), 0o755);
    await start();
    expect((await stat(folder.at('credentials'))).mode & 0o777).toBe(0o700);
    await chmod(folder.at('credentials/device.jwk'), 0o644);
    expect(await failureOf(start())).toMatch(/^4 .*chmod 600/);
  });

  it('keeps credentials elsewhere when told to, and finds them there the next time', async () => {
    const elsewhere = folder.at('etc/keys');
    await start({ credentialsDir: elsewhere, configFile: folder.at('conf/agent.yaml'), cacheDir: '~/Edge' });
    const text = await folder.read('conf/agent.yaml');
    expect(text).toContain(`credentials_dir: ${elsewhere}\n`);
    expect(text).toContain('edge_cache_dir: ~/Edge\n');
    await start({ configFile: folder.at('conf/agent.yaml') });
    const [first, second] = saas.to(ENROL).map(requestOf);
    expect(second?.device_jwk).toEqual(first?.device_jwk);
    expect(await readdir(folder.at('conf'))).toEqual(['agent.yaml']);
  });

  it('ends at once when it is interrupted, with nothing but the device key left', async () => {
    saas.answer(ENROL, 'hang');
    const interrupted = new AbortController();
    const enrolling = start({}, interrupted.signal);
    await saas.until(ENROL, 1);
    interrupted.abort(new Error('Ctrl-C'));
    await expect(enrolling).rejects.toThrow('Ctrl-C');
    expect(await left()).toEqual(KEY_ALONE);
  });

  it('says that nobody answers', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    await new Promise((resolve) => taken.close(resolve));
    const nobody = await token({ saas_url: `http://127.0.0.1:${port}` });
    expect(await failureOf(start({ token: nobody }))).toMatch(/^5 .*ECONNREFUSED/);
  });
});

describe('enrolment with the root of a TUF repository', () => {
  const key = tufKey('first');
  const root = tufRoot([key]);
  const tufToken = (text = root) => token({ root_sha256: sha256Hex(Buffer.from(text)) });

  it('pins it as it came, and says so in agent.yaml', async () => {
    saas.answer(ENROL, { status: 201, body: answer({ root }) });
    await start({ token: await tufToken() });
    expect(await folder.read('credentials/root.json')).toBe(root);
    expect(await folder.read('agent.yaml')).toContain(
      'trust:\n  mode: tuf\n  root: ./credentials/root.json\n',
    );
    await start({ token: await tufToken() });
  });

  it('brings an agent of our own format over, and back, when its console does', async () => {
    await start();
    saas.answer(ENROL, { status: 201, body: answer({ root }) });
    await start({ token: await tufToken() });
    expect(await folder.read('agent.yaml')).toMatch(/root\.json\n {2}mode: tuf\n/);
    saas.answer(ENROL, { status: 201, body: answer() });
    await start();
    expect(await folder.read('agent.yaml')).toMatch(/root\.jws\.json\n {2}mode: required\n/);
  });

  it('believes none that its own keys did not sign, and none that is not one', async () => {
    for (const text of [tufRoot([key], {}, []), '{"signed":{"_type":"root"},"signatures":[]}']) {
      saas.answer(ENROL, { status: 201, body: answer({ root: text }) });
      expect(await failureOf(start({ token: await tufToken(text) }))).toMatch(/^3 /);
    }
    expect(await left()).toEqual(KEY_ALONE);
  });

  it('starts anew from another one only when told to', async () => {
    saas.answer(ENROL, { status: 201, body: answer({ root }) });
    await start({ token: await tufToken() });
    const keys = 'a'.repeat(64);
    const seq = [{ keys, value: 41, payload_sha256: 'b'.repeat(64) }];
    const second = tufRoot([key], { version: 2 });
    const accepted = { version: 2, payload_sha256: 'c'.repeat(64), document: second };
    const trust = createCredentialsTrustFile(folder.at('credentials'));
    await trust.save({ ...EMPTY, seq, tuf: { roots: [accepted], marks: [], trigger_keys: [] } });
    await start({ token: await tufToken() });

    const other = tufRoot([tufKey('second')]);
    saas.answer(ENROL, { status: 201, body: answer({ root: other }) });
    expect(await failureOf(start({ token: await tufToken(other) }))).toMatch(/^3 [^]*--force/);
    await start({ token: await tufToken(other), force: true });
    expect(await createCredentialsTrustFile(folder.at('credentials')).load()).toEqual({ ...EMPTY, seq });
  });
});

describe('enrolment with another root of trust', () => {
  const remembered = async (change: Partial<TrustMemory>) => {
    const memory = { ...EMPTY, ...change };
    await start();
    await createCredentialsTrustFile(folder.at('credentials')).save(memory);
    const database = openDatabase(folder.at('cache/.agent/agent.db'));
    createStateDocuments(database).write(TRUST_DOCUMENT, memory);
    database.close();
  };
  const memories = async () => {
    const database = openDatabase(folder.at('cache/.agent/agent.db'));
    const inDatabase = createStateDocuments(database).read(TRUST_DOCUMENT);
    database.close();
    return [inDatabase, await createCredentialsTrustFile(folder.at('credentials')).load()];
  };
  const acceptedRoot = (version: number, document: string) => {
    const payload = Buffer.from(JSON.parse(document).payload, 'base64url');
    return { version, payload_sha256: sha256Hex(payload), document };
  };
  const seq = [{ keys: 'a'.repeat(64), value: 41, payload_sha256: 'b'.repeat(64) }];

  it('forgets the roots it accepted when told to, and no seq', async () => {
    const replaced = acceptedRoot(1, serialiseDocument(await firstRoot(makeKeys(1, 1))));
    await remembered({ roots: [replaced], seq, signed_seen: true });
    expect(await failureOf(start())).toMatch(/^3 [^]*--force/);
    expect(await memories()).toEqual([
      expect.objectContaining({ roots: [replaced] }),
      expect.objectContaining({ roots: [replaced] }),
    ]);
    await start({ force: true });
    const kept = { ...EMPTY, seq, signed_seen: true };
    expect(await memories()).toEqual([kept, kept]);
    await start();
  });

  it('forgets nothing while what it accepted leads on from the root', async () => {
    const second = serialiseDocument(await nextRoot(JSON.parse(rootText), keys));
    const memory = { roots: [acceptedRoot(2, second)], seq, signed_seen: true };
    await remembered(memory);
    await start({ force: true });
    expect(await memories()).toEqual([
      { ...EMPTY, ...memory },
      { ...EMPTY, ...memory },
    ]);
  });

  it('starts anew from a damaged copy when told to, with the numbers of the other', async () => {
    await remembered({ seq, signed_seen: true });
    await folder.write('credentials/trust-state.json', '{');
    expect(await failureOf(start())).toMatch(/^3 [^]*damaged[^]*--force/);
    await start({ force: true });
    expect(await memories()).toEqual([
      { ...EMPTY, seq, signed_seen: true },
      { ...EMPTY, seq, signed_seen: true },
    ]);
    expect(await folder.read('credentials/trust-state.json.bak')).toBe('{');
  });

  it('waits for no running agent for long', async () => {
    await remembered({ roots: [acceptedRoot(1, serialiseDocument(await firstRoot(makeKeys(1, 1))))] });
    const holder = { pid: process.pid, verb: 'run' };
    const { signal } = new AbortController();
    const lock = await acquireLock(folder.at('cache/.agent/lock'), { holder, waitMs: 0, signal });
    expect(await failureOf(start({ force: true }))).toMatch(/^5 .*locked/);
    if (lock.kind === 'acquired') lock.release();
  });
});

describe('enrolment through a private certificate', () => {
  it('believes it when the file is named, and writes the name down', async () => {
    using certificate = makeCertificate();
    await using server: LoopbackServer = await startHttpServer(certificate);
    server.on(ENROL, answering(201, JSON.stringify(answer())));
    server.on(BRANCH, answering(200, '{}'));
    const secure = await token({ saas_url: server.origin });
    const doubted = await start({ token: secure }).catch((error: OperationError) => error);
    expect(doubted).toMatchObject({ exitCode: 5, message: expect.stringContaining('--ca-file') });
    await start({ token: secure, caFile: certificate.caFile });
    expect(await folder.read('agent.yaml')).toContain(`network:\n  ca_file: ${certificate.caFile}\n`);
    // the second time the configuration says it
    await start({ token: secure });
    await folder.write('no.pem', 'nothing');
    expect(await failureOf(start({ token: secure, caFile: folder.at('no.pem') }))).toMatch(/^2 .*no\.pem/);
  });
});
