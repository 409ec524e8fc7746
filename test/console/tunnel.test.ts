import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { openState } from '../../console/state.ts';
import { createSystemClock } from '../../system/clock.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { publicPart } from '../../trust/thumbprint.ts';
import { makeCertificate } from '../support/certificate.ts';
import {
  addTenant,
  type EnrolledAgent,
  enrolAgent,
  publish,
  type RunningConsole,
  startConsole,
  statusOf,
} from './running-console.ts';
import { connect, frame, hello, openSocket, type Refused, tunnelToken, tunnelUrl } from './tunnel-client.ts';

let running: RunningConsole;
let acme: Awaited<ReturnType<typeof addTenant>>;
let agent: EnrolledAgent;
let stranger: EnrolledAgent;

beforeAll(async () => {
  running = await startConsole({ limits: { agentBurst: 1_000 } });
  acme = await addTenant(running, 'acme');
  await addTenant(running, 'globex');
  agent = await enrolAgent(running, 'acme');
  stranger = await enrolAgent(running, 'globex');
});
afterAll(async () => running[Symbol.asyncDispose]());

const asOperator = async (path: string): Promise<unknown> => {
  const response = await fetch(running.url + path, { headers: { 'x-api-key': running.apiKey } });
  return response.json();
};
const refusal = async (attempt: Promise<unknown>): Promise<[number, string]> => {
  const error = (await attempt.then(
    () => null,
    (reason: unknown) => reason,
  )) as Refused;
  return [error.status, (JSON.parse(error.body) as { error: { code: string } }).error.code];
};

describe('GET /edge/tunnel', () => {
  it('is where the enrolment answer sends the agent', () => {
    expect(agent.answer.tunnel_url).toBe(tunnelUrl(running.url));
  });

  it('greets the agent, and takes the other spelling of its own address in the token', async () => {
    for (const url of [`${running.url}/edge/tunnel`, tunnelUrl(running.url)]) {
      const socket = await openSocket(agent, running.url, { token: await tunnelToken(agent, url) });
      expect(socket.protocol).toBe('cloudevents.json');
      expect(socket.extensions).toBe('');
      socket.terminate();
    }
    const client = await connect(agent, running.url);
    const [first] = client.received;
    expect(first).toMatchObject({
      specversion: '1.0',
      type: 'edgeflows.hello',
      source: '/console',
      data: { heartbeat_ms: 30_000, session: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
    await client.end();
  });

  it('refuses what is not believed before the protocol changes', async () => {
    const url = `${running.url}/edge/tunnel`;
    const forged = await tunnelToken({ ...agent, jwk: stranger.jwk }, url);
    const elsewhere = await tunnelToken(agent, `${running.url}/edge/status`);
    const foreign = await tunnelToken(agent, 'http://127.0.0.1:1/edge/tunnel');
    const used = await tunnelToken(agent, url);
    (await openSocket(agent, running.url, { token: used })).terminate();
    expect(await refusal(openSocket(agent, running.url, { token: forged }))).toEqual([
      401,
      'signature_invalid',
    ]);
    expect(await refusal(openSocket(agent, running.url, { token: elsewhere }))).toEqual([
      401,
      'request_mismatch',
    ]);
    expect(await refusal(openSocket(agent, running.url, { token: foreign }))).toEqual([
      401,
      'audience_mismatch',
    ]);
    expect(await refusal(openSocket(agent, running.url, { token: used }))).toEqual([401, 'token_replayed']);
    expect(await refusal(openSocket(agent, running.url, { options: { headers: {} } }))).toEqual([
      401,
      'credentials_missing',
    ]);
    expect(await refusal(openSocket(agent, running.url, { protocols: ['mqtt'] }))).toEqual([
      400,
      'subprotocol_missing',
    ]);
  });

  it('answers a plain request with what is missing, and leaves other upgrades alone', async () => {
    const plain = await fetch(`${running.url}/edge/tunnel`);
    expect([plain.status, await plain.text()]).toEqual([426, expect.stringContaining('upgrade_required')]);
    const other = new WebSocket(`${running.url.replace(/^http/, 'ws')}/healthz`);
    const error = await new Promise<Error>((resolve) => {
      other.once('error', resolve);
    });
    expect(error.message).toContain('200');
  });

  it('puts off an agent that comes too often', async () => {
    await using strict = await startConsole({ limits: { agentBurst: 2, agentPerSecond: 0.1 } });
    await addTenant(strict, 'acme');
    const eager = await enrolAgent(strict, 'acme');
    for (let index = 0; index < 2; index += 1) (await openSocket(eager, strict.url)).terminate();
    expect(await refusal(openSocket(eager, strict.url))).toEqual([429, 'rate_limited']);
  });

  it('works over TLS', async () => {
    using certificate = makeCertificate();
    await using secure = await startConsole({ tls: { key: certificate.key, cert: certificate.cert } });
    await addTenant(secure, 'acme');
    const jwk = newKey();
    const state = await openState(join(secure.directory, 'data'), createSystemClock());
    const device_jwk = publicPart(jwk);
    await state.agents.save(
      {
        agent_id: 'agent-1',
        tenant: 'acme',
        thumbprint: device_jwk.kid,
        device_jwk,
        hostname: 'pc-1',
        os: 'linux',
        arch: 'x64',
        agent_version: '0.1.0',
        enrolled_at: new Date().toISOString(),
      },
      'a git token',
    );
    await state.close();
    const secured = { ...agent, jwk, issuer: 'agent-1' };
    const client = await connect(secured, secure.url, { options: { ca: certificate.cert } });
    expect(client.socket.url).toMatch(/^wss:/);
    client.send('edgeflows.echo.request', 'sealed');
    expect((await client.next('edgeflows.echo.reply')).data).toBe('sealed');
    await client.end();
    const found = await refusal(openSocket(agent, secure.url, { options: { ca: certificate.cert } }));
    expect(found).toEqual([401, 'key_unknown']);
  });

  it('ends a connection that does not begin with a hello of its own agent', async () => {
    for (const said of [
      frame(agent, 'edgeflows.heartbeat', {}, 'a'),
      frame(agent, 'edgeflows.hello', hello(stranger), 'a'),
      'hello',
      '{}',
    ]) {
      const socket = await openSocket(agent, running.url);
      const closed = new Promise<number>((resolve) => {
        socket.once('close', resolve);
      });
      socket.send(said);
      expect(await closed).toBe(4002);
    }
    expect(running.console.connected('acme')).toBe(0);
  });

  it('ends a connection that sends bytes, or a frame of more than 1 MiB', async () => {
    const first = await connect(agent, running.url);
    first.socket.send(Buffer.from('{}'), { binary: true });
    expect(await first.closed).toMatchObject({ code: 1003 });
    const second = await connect(agent, running.url);
    second.send('edgeflows.echo.request', 'x'.repeat(1024 * 1024));
    expect(await second.closed).toMatchObject({ code: 1009 });
  });
});

describe('a session', () => {
  it('is seen by the operator, from the hello to the end', async () => {
    const connected = running.console.notices.tunnel.waitFor(
      ({ state }) => state === 'connected',
      AbortSignal.timeout(5_000),
    );
    const client = await connect(agent, running.url);
    const { session } = await connected;
    const rows = (await asOperator('/api/agents')) as {
      agents: { agent_id: string; tunnel: unknown }[];
    };
    const row = rows.agents.find(({ agent_id }) => agent_id === agent.issuer);
    expect(row?.tunnel).toEqual({ connected: true, session, since: expect.any(String) });
    const gone = running.console.notices.tunnel.waitFor(
      ({ state }) => state === 'disconnected',
      AbortSignal.timeout(5_000),
    );
    await client.end();
    expect(await gone).toMatchObject({ agent_id: agent.issuer, tenant: 'acme', session });
    expect(await asOperator(`/api/agents/${agent.issuer}`)).toMatchObject({
      tunnel: { connected: false, session: null },
    });
  });

  it('gives way to a newer one of the same agent', async () => {
    const older = await connect(agent, running.url);
    const newer = await connect(agent, running.url);
    expect(await older.closed).toEqual({ code: 4001, reason: 'replaced by a newer session' });
    newer.send('edgeflows.echo.request', { still: 'here' }, 'e1');
    expect(await newer.next('edgeflows.echo.reply')).toMatchObject({ id: 'e1', data: { still: 'here' } });
    expect(running.console.connected('acme')).toBe(1);
    await newer.end();
  });

  it('passes over frames it does not know', async () => {
    const client = await connect(agent, running.url);
    client.send('edgeflows.invented.later', { x: 1 });
    client.send('edgeflows.echo.request', null);
    expect((await client.next('edgeflows.echo.reply')).data).toBeNull();
    await client.end();
  });

  it('brings statuses, acknowledged by the id of their frame, and refuses those of another', async () => {
    const client = await connect(agent, running.url);
    client.send('edgeflows.status', statusOf(agent, { isolation: 'from the tunnel' }), 's1');
    expect((await client.next('edgeflows.ack')).data).toEqual({ ids: ['s1'] });
    expect((await running.console.admin.status(agent.issuer))?.status).toMatchObject({
      isolation: 'from the tunnel',
    });
    client.send('edgeflows.status', statusOf(stranger), 's2');
    expect((await client.next('edgeflows.ack')).data).toMatchObject({
      ids: [],
      refused: [{ id: 's2', code: 'not_yours' }],
    });
    await client.end();
  });

  it('brings the beginning and the end of a run, once however often they are told', async () => {
    const client = await connect(agent, running.url);
    const at = '2026-11-20T15:00:00Z';
    const began = { run_id: 'run-1', attempt: 1, flow: 'invoice-bot', version: 'v1', at };
    client.send('edgeflows.run.started', began, 'f1');
    client.send('edgeflows.run.started', began, 'f2');
    await client.next('edgeflows.ack', ({ data }) => JSON.stringify(data).includes('f2'));
    const running1 = await asOperator(`/api/agents/${agent.issuer}/runs?running`);
    expect(running1).toMatchObject({ runs: [{ run_id: 'run-1', state: 'running', started_at: at }] });
    const ended = {
      run_id: 'run-1',
      attempt: 1,
      flow: 'invoice-bot',
      version: 'v1',
      status: 'failed',
      exit_code: 3,
      sha256: null,
      revision: null,
      trigger: 'command',
      reason: null,
      started_at: at,
      finished_at: at,
      truncated: { stdout: 0, stderr: 0 },
      outputs: [],
    };
    client.send('edgeflows.run.completed', ended, 'f3');
    client.send('edgeflows.run.started', began, 'f4');
    client.send('edgeflows.run.completed', ended, 'f5');
    await client.next('edgeflows.ack', ({ data }) => JSON.stringify(data).includes('f5'));
    const all = (await asOperator(`/api/agents/${agent.issuer}/runs`)) as { runs: unknown[] };
    expect(all.runs).toEqual([expect.objectContaining({ run_id: 'run-1', state: 'failed', exit_code: 3 })]);
    await client.end();
  });

  it('ends when the agent is revoked, and none begins any more', async () => {
    const doomed = await enrolAgent(running, 'acme');
    const client = await connect(doomed, running.url);
    await running.console.admin.revokeAgent(doomed.issuer);
    expect((await client.closed).code).toBe(4003);
    expect(await refusal(openSocket(doomed, running.url))).toEqual([403, 'agent_revoked']);
  });
});

describe('a nudge', () => {
  it('reaches every connected agent of the tenant whose branch was pushed to, and nobody else', async () => {
    const second = await enrolAgent(running, 'acme');
    const clients = await Promise.all([connect(agent, running.url), connect(second, running.url)]);
    const other = await connect(stranger, running.url);
    const { commit } = await publish(running, { ...acme, slug: 'acme' }, { 'manifest.json': '{}' });
    const revision = `tenant/acme@sha1:${commit}`;
    for (const client of clients) {
      expect((await client.next('edgeflows.reconcile.request')).data).toEqual({ revision });
    }
    other.send('edgeflows.echo.request', 1);
    await other.next('edgeflows.echo.reply');
    expect(other.received.map(({ type }) => type)).not.toContain('edgeflows.reconcile.request');
    for (const client of [...clients, other]) await client.end();

    const late = await connect(agent, running.url);
    expect((await late.next('edgeflows.reconcile.request')).data).toEqual({ revision });
    await late.end();
    const current = await connect(agent, running.url, { hello: { active_revision: revision } });
    current.send('edgeflows.echo.request', 1);
    await current.next('edgeflows.echo.reply');
    expect(current.received.map(({ type }) => type)).not.toContain('edgeflows.reconcile.request');
    await current.end();
  });
});

describe('a console that closes', () => {
  it('sends its agents away, each to come back at another moment, and leaves nothing', async () => {
    const closing = await startConsole();
    await addTenant(closing, 'acme');
    const agents = await Promise.all([1, 2, 3].map(async () => enrolAgent(closing, 'acme')));
    const clients = await Promise.all(agents.map(async (each) => connect(each, closing.url)));
    const greeting = await openSocket(agents[0] as EnrolledAgent, closing.url);
    const deaf = await connect(await enrolAgent(closing, 'acme'), closing.url);
    deaf.socket.pause();
    await closing[Symbol.asyncDispose]();
    const waits = await Promise.all(
      clients.map(async (client) => {
        expect((await client.closed).code).toBe(1001);
        return ((await client.next('edgeflows.goaway')).data as { after_ms: number }).after_ms;
      }),
    );
    expect(new Set(waits).size).toBe(3);
    greeting.terminate();
    await deaf.end();
  });
});
