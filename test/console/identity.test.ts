import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createCallers } from '../../console/callers.ts';
import { createIdentityAlarms } from '../../console/identity-alarms.ts';
import { DEFAULT_LIMITS } from '../../console/limits.ts';
import { openState } from '../../console/state.ts';
import type { EnrolAnswer } from '../../schemas/enrolment.ts';
import type { PrivateJwk } from '../../schemas/jws.ts';
import { createSystemClock } from '../../system/clock.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { signRotationProof } from '../../trust/key-rotation.ts';
import { signRequestToken } from '../../trust/request-token.ts';
import { publicPart } from '../../trust/thumbprint.ts';
import {
  addTenant,
  type Caller,
  call,
  type EnrolledAgent,
  enrolAgent,
  enrolBody,
  eventChain,
  git,
  type RunningConsole,
  startConsole,
  statusOf,
  withBasic,
} from './running-console.ts';

/** A console whose clock a test can move on. */
let aheadMs = 0;
const system = createSystemClock();
const clock = {
  now: () => new Date(system.now().getTime() + aheadMs),
  monotonicMs: () => system.monotonicMs() + aheadMs,
};
let running: RunningConsole;

beforeAll(async () => {
  running = await startConsole({ clock });
  for (const slug of ['acme', 'globex']) await addTenant(running, slug);
});
afterAll(async () => running[Symbol.asyncDispose]());

const at = (path: string) => running.url + path;
const codeOf = async (response: Response) =>
  ((await response.json()) as { error?: { code: string } }).error?.code ?? null;
const operator = async (path: string, init: { method?: string; body?: string } = {}) => {
  const type = init.body === undefined ? {} : { 'content-type': 'application/json' };
  return fetch(at(path), { ...init, headers: { ...type, 'x-api-key': running.apiKey } });
};
const agentRecord = async (agent: Caller) =>
  (await (await operator(`/api/agents/${agent.issuer}`)).json()) as Record<string, unknown>;
const actionsOf = async (agent: Caller) =>
  (await running.console.admin.audit({ agent: agent.issuer })).map(({ action }) => action);

/** A call of an agent by this console's clock. */
async function speak(
  agent: Caller & { next?: string },
  path: string,
  body: unknown,
  method = 'POST',
): Promise<Response> {
  const token = await signRequestToken({ ...agent, method, url: at(path), now: clock.now() });
  return call(agent, method, at(path), body, { authorization: `Bearer ${token}` });
}
const report = async (agent: EnrolledAgent, as: Partial<Caller> = {}) =>
  speak({ ...agent, ...as }, '/edge/status', statusOf(agent));

async function rotate(
  agent: EnrolledAgent,
  signer: PrivateJwk,
  next: PrivateJwk & { kid: string },
  change: { from?: string; agentId?: string; url?: string; next?: PrivateJwk; now?: Date } = {},
  vouched: string = next.kid,
): Promise<Response> {
  const proof = await signRotationProof({
    next,
    agentId: agent.issuer,
    from: publicPart(signer).kid,
    url: running.url,
    now: clock.now(),
    ...change,
  });
  const caller = { ...agent, jwk: signer, next: vouched };
  return speak(caller, '/edge/rotate-key', { device_jwk: publicPart(next), proof });
}

describe('the change of a device key', () => {
  it('puts the new key in force, and takes the old one until the new one has spoken', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const next = newKey();
    const answer = await rotate(agent, agent.jwk, next);
    expect(await answer.json()).toEqual({ agent_id: agent.issuer, thumbprint: next.kid });
    // the answer may have been lost, for however long
    aheadMs += 30 * 86_400_000;
    expect((await report(agent)).status).toBe(200);
    expect((await report(agent, { jwk: next })).status).toBe(200);
    // what was on its way when the new key spoke still arrives
    expect((await report(agent)).status).toBe(200);
    aheadMs += 31_000;
    const late = await report(agent);
    expect([late.status, await codeOf(late)]).toEqual([401, 'key_retired']);
    expect((await report(agent, { jwk: next })).status).toBe(200);
  });

  it('is taken again as often as it is asked for, by either key, and done once', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const next = newKey();
    expect((await rotate(agent, agent.jwk, next)).status).toBe(200);
    expect((await rotate(agent, agent.jwk, next)).status).toBe(200);
    expect((await rotate(agent, next, next, { from: publicPart(agent.jwk).kid })).status).toBe(200);
    expect((await actionsOf(agent)).filter((action) => action === 'key_rotated')).toHaveLength(1);
    expect(await agentRecord(agent)).toMatchObject({ thumbprint: next.kid, former_keys: [{}] });
  });

  it('gets an agent in that lost the new key before it ever used it', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    expect((await rotate(agent, agent.jwk, newKey())).status).toBe(200);
    aheadMs += 61_000;
    const another = newKey();
    expect((await rotate(agent, agent.jwk, another)).status).toBe(200);
    expect((await report(agent, { jwk: another })).status).toBe(200);
  });

  it('is refused without a proof of this key, for this agent, of this console, of now', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const other = await enrolAgent(running, 'acme', clock.now());
    const next = newKey();
    const refused = [
      await rotate(agent, agent.jwk, next, { next: newKey() }),
      await rotate(agent, agent.jwk, next, { agentId: other.issuer }),
      await rotate(agent, agent.jwk, next, { url: 'https://elsewhere.example' }),
      await rotate(agent, agent.jwk, next, { from: publicPart(other.jwk).kid }),
      await rotate(agent, agent.jwk, next, { now: new Date(clock.now().getTime() - 400_000) }),
      await rotate(agent, agent.jwk, next, { now: new Date(clock.now().getTime() + 400_000) }),
      await speak(agent, '/edge/rotate-key', { device_jwk: publicPart(next), proof: 'a.b.c' }),
      // somebody held the call back, and put a key and a proof of his own in its body
      await rotate(agent, agent.jwk, next, {}, newKey().kid),
      await rotate(agent, agent.jwk, next, {}, ''),
    ];
    for (const answer of refused)
      expect([answer.status, await codeOf(answer)]).toEqual([422, 'proof_invalid']);
    expect(await codeOf(await rotate(agent, agent.jwk, other.jwk as typeof next))).toBe('key_in_use');
    expect((await agentRecord(agent))['thumbprint']).toBe(publicPart(agent.jwk).kid);
  });

  it('is nothing that a key can ask for any more whose successor has spoken', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const next = newKey();
    expect((await rotate(agent, agent.jwk, next)).status).toBe(200);
    aheadMs += 70_000;
    expect((await report(agent, { jwk: next })).status).toBe(200);
    // what was on its way still arrives; whoever stole the old key must not put his own in the place of the new one
    const stolen = await rotate(agent, agent.jwk, newKey());
    expect([stolen.status, await codeOf(stolen)]).toEqual([401, 'key_retired']);
    const farewell = await speak(agent, '/edge/unenroll', {});
    expect([farewell.status, await codeOf(farewell)]).toEqual([401, 'key_retired']);
    expect((await report(agent, { jwk: next })).status).toBe(200);
    expect((await agentRecord(agent))['thumbprint']).toBe(next.kid);
  });

  it('retires no key by a call of that very key which the change overtook', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const state = await openState(join(running.directory, 'data'), clock);
    try {
      const { notices } = running.console;
      const alarms = createIdentityAlarms({ state, notices, log: pino({ level: 'silent' }) });
      const callers = createCallers(state, DEFAULT_LIMITS, alarms, notices);
      const ask = async (between: () => void | Promise<void> = () => {}) => {
        const url = '/edge/status';
        const token = await signRequestToken({ ...agent, method: 'POST', url: at(url), now: clock.now() });
        const headers = { authorization: `Bearer ${token}` };
        const asked = callers.device({ method: 'POST', url, ip: '127.0.0.1', headers });
        await between();
        return asked;
      };
      const next = newKey();
      await ask(async () => {
        const record = await state.agents.get(agent.issuer);
        if (record === null) throw new Error('expected the agent that was enrolled');
        const successor = { jwk: publicPart(next), thumbprint: next.kid };
        await state.deviceKeys.rotate(record, record.thumbprint, successor, clock.now(), {
          action: 'key_rotated',
          tenant: 'acme',
          agent_id: agent.issuer,
          by: 'agent',
          message: 'a new key',
        });
      });
      // the answer with the new key was lost: the agent has nothing but the old one for now
      aheadMs += 10 * 60_000;
      await expect(ask()).resolves.toMatchObject({ agent_id: agent.issuer });
    } finally {
      await state.close();
    }
  });

  it('comes once a minute at most', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const [second, third] = [newKey(), newKey()];
    expect((await rotate(agent, agent.jwk, second)).status).toBe(200);
    const soon = await rotate(agent, second, third);
    expect([soon.status, soon.headers.get('retry-after')]).toEqual([429, '60']);
  });

  it('makes of the use of a retired key an alarm that names where it came from, once an hour', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const next = newKey();
    await rotate(agent, agent.jwk, next);
    await report(agent, { jwk: next });
    aheadMs += 60_000;
    for (let times = 0; times < 3; times += 1) await report(agent);
    const { former_keys } = await agentRecord(agent);
    expect(former_keys).toMatchObject([{ refused_uses: 3, last_refused_from: '127.0.0.1' }]);
    const alarms = await running.console.admin.audit({ agent: agent.issuer });
    expect(alarms.filter(({ action }) => action === 'retired_key_used')).toMatchObject([
      {
        by: 'console',
        message: expect.stringMatching(/used from 127\.0\.0\.1: a copy of the machine/) as string,
      },
    ]);
    // nor does it become an agent of its own
    const token = await running.console.admin.makeEnrolmentToken({ slug: 'acme' });
    const { jwk } = agent;
    const again = await speak({ jwk, issuer: publicPart(jwk).kid }, '/edge/enroll', enrolBody(token, jwk));
    expect(await codeOf(again)).toBe('key_retired');
  });

  it('ends what the enrolment gave to the key before, also where that is asked for again', async () => {
    const token = await running.console.admin.makeEnrolmentToken({ slug: 'acme' });
    const jwk = newKey();
    const enrol = async () => speak({ jwk, issuer: jwk.kid }, '/edge/enroll', enrolBody(token, jwk));
    const answer = (await (await enrol()).json()) as EnrolAnswer;
    expect((await enrol()).status).toBe(201);
    const next = newKey();
    const agent: EnrolledAgent = { jwk, issuer: answer.agent_id, answer };
    await rotate(agent, jwk, next);
    // its answer may have been lost: until the new key speaks the old one is the agent's
    expect((await enrol()).status).toBe(201);
    await report(agent, { jwk: next });
    aheadMs += 60_000;
    const again = await enrol();
    expect([again.status, await codeOf(again)]).toEqual([403, 'key_retired']);
  });

  it('is asked for by the operator with the answer to a status, until it is done', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    expect(await (await report(agent)).json()).toEqual({ stored: true });
    const path = `/api/agents/${agent.issuer}/rotate-key`;
    expect((await operator(path, { method: 'POST' })).status).toBe(202);
    const body = JSON.stringify({ reason: 'a laptop was lent' });
    expect((await operator(path, { method: 'POST', body })).status).toBe(202);
    const audit = await operator(`/api/audit?agent=${agent.issuer}&action=key_rotation_asked`);
    expect(await audit.json()).toMatchObject({
      entries: [{ reason: 'a laptop was lent' }, { reason: null }],
    });
    expect(await (await report(agent)).json()).toEqual({ stored: true, rotate_key: true });
    const next = newKey();
    await rotate(agent, agent.jwk, next);
    expect(await (await report(agent, { jwk: next })).json()).toEqual({ stored: true });
  });
});

describe('two machines with one identity', () => {
  const machine = (host: string) => ({ boot: randomUUID(), machine: `m-${host}`, host, os: 'linux' });

  it('are noticed by who speaks after whom, and named to the operator and to both', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const [one, two] = [machine('lyon-1'), machine('lyon-2')];
    const from = async (speaker: typeof one) => {
      aheadMs += 10_000;
      return (await (await report(agent, { speaker })).json()) as { identity_conflict?: unknown };
    };
    await from(one);
    expect(await from(two)).not.toHaveProperty('identity_conflict');
    const told = await from(one);
    expect(told.identity_conflict).toMatchObject({
      machines: [
        { hostname: 'lyon-1', address: '127.0.0.1', you: true },
        { hostname: 'lyon-2', os: 'linux', you: false },
      ],
    });
    await from(two);
    const ongoing = {
      state: 'ongoing',
      changes: 2,
      machines: [{ hostname: 'lyon-2' }, { hostname: 'lyon-1' }],
    };
    expect(await agentRecord(agent)).toMatchObject({ identity_conflict: ongoing });
    expect((await actionsOf(agent)).filter((action) => action === 'identity_conflict')).toHaveLength(1);
    expect((await running.console.admin.audit({ agent: agent.issuer }))[0]?.message).toMatch(
      /two machines speak as agent .*lyon-.*lyon-.*unenroll --local/,
    );
    aheadMs += 16 * 60_000;
    expect(await agentRecord(agent)).toMatchObject({ identity_conflict: { state: 'past' } });
    expect(await from(two)).not.toHaveProperty('identity_conflict');
  });

  it('are not seen in restarts, in a machine that was moved, nor in a call that was slow', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const [first, second, moved] = [machine('lyon-1'), machine('lyon-1'), machine('paris-1')];
    for (const speaker of [first, second, second, moved, moved]) {
      aheadMs += 10_000;
      await report(agent, { speaker });
    }
    // made before the newest process spoke, and delivered after it
    const slow = await signRequestToken({
      jwk: agent.jwk,
      issuer: agent.issuer,
      speaker: second,
      method: 'POST',
      url: at('/edge/status'),
      now: new Date(clock.now().getTime() - 12_000),
    });
    const late = await call(agent, 'POST', at('/edge/status'), statusOf(agent), {
      authorization: `Bearer ${slow}`,
    });
    expect(late.status).toBe(200);
    expect((await agentRecord(agent))['identity_conflict']).toBe(null);
    expect((await agentRecord(agent))['processes']).toHaveLength(3);
  });

  it('do not take the tunnel from each other: the one that has it keeps it, and both are told', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const [one, two] = [machine('lyon-1'), machine('lyon-2')];
    const first = await tunnel(agent, one);
    aheadMs += 6_000;
    const second = await tunnel(agent, two);
    expect(await first.closed).toBe(4001);
    aheadMs += 6_000;
    const third = await tunnel(agent, one);
    expect(await third.closed).toBe(4009);
    expect(await third.heard('edgeflows.identity.conflict')).toMatchObject({ machines: [{ you: true }, {}] });
    expect(await second.heard('edgeflows.identity.conflict')).toMatchObject({
      machines: [{}, { you: true }],
    });
    expect(second.isOpen()).toBe(true);
    // it is the same process that comes back, not another: its own connection is replaced as ever
    const own = await tunnel(agent, two);
    expect(await second.closed).toBe(4001);
    expect(own.isOpen()).toBe(true);
    own.close();
  });

  it('are suspected when an event log is told in two ways', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const { createHash } = await import('node:crypto');
    const hash = (line: string) => createHash('sha256').update(line).digest('hex');
    const log_id = randomUUID();
    const events = eventChain(agent, log_id, 3, hash);
    expect((await speak(agent, '/edge/events', { log_id, events })).status).toBe(200);
    const forked = events.map((event) => (event.seq === 3 ? { ...event, message: 'another' } : event));
    for (let times = 0; times < 2; times += 1) {
      expect((await speak(agent, '/edge/events', { log_id, events: forked })).status).toBe(409);
    }
    expect(await agentRecord(agent)).toMatchObject({
      event_logs: [{ log_id, forked_at: expect.any(String) as string }],
    });
    expect((await actionsOf(agent)).filter((action) => action === 'event_log_forked')).toHaveLength(1);
  });

  async function tunnel(agent: EnrolledAgent, speaker: ReturnType<typeof machine>) {
    const url = at('/edge/tunnel');
    const token = await signRequestToken({ ...agent, speaker, method: 'GET', url, now: clock.now() });
    const socket = new WebSocket(url.replace('http', 'ws'), 'cloudevents.json', {
      headers: { authorization: `Bearer ${token}` },
    });
    const frames: { type: string; data: unknown }[] = [];
    const closed = new Promise<number>((resolve) => void socket.once('close', resolve));
    socket.on(
      'message',
      (data: Buffer) => void frames.push(JSON.parse(data.toString()) as (typeof frames)[0]),
    );
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    const data = {
      agent_id: agent.issuer,
      agent_version: '0',
      boot_id: speaker.boot,
      log_id: 'log',
      next_seq: 1,
      active_revision: null,
    };
    const hello = {
      specversion: '1.0',
      type: 'edgeflows.hello',
      id: '1',
      source: `/agents/${agent.issuer}`,
      data,
    };
    const welcomed = running.console.notices.tunnel.waitFor(
      ({ agent_id, state }) => agent_id === agent.issuer && state === 'connected',
      AbortSignal.timeout(10_000),
    );
    socket.send(JSON.stringify(hello));
    await Promise.race([welcomed, closed]);
    welcomed.catch(() => {});
    return {
      closed,
      close: () => socket.close(),
      isOpen: () => socket.readyState === socket.OPEN,
      async heard(type: string) {
        for (let tries = 0; tries < 1_200; tries += 1) {
          const frame = frames.find((each) => each.type === type);
          if (frame !== undefined) return frame.data;
          await new Promise((wake) => setTimeout(wake, 25));
        }
        throw new Error(`expected a frame ${type}, found ${frames.map((each) => each.type).join(', ')}`);
      },
    };
  }
});

describe('an agent that is one no more', () => {
  it('is told so when it was revoked, by whom and why; its key and git token are void at once', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const body = JSON.stringify({ by: 'ann', why: 'stolen laptop' });
    const path = `/api/agents/${agent.issuer}/revoke`;
    expect((await operator(`${path}?tenant=globex`, { method: 'POST', body })).status).toBe(404);
    expect((await report(agent)).status).toBe(200);
    for (const by of ['agent', 'Agent 7', 'console', 'operator', 'person:ann', ' key:admin']) {
      const refused = await operator(path, { method: 'POST', body: JSON.stringify({ by }) });
      expect([by, refused.status]).toEqual([by, 422]);
    }
    const done = await operator(path, { method: 'POST', body });
    expect(await done.json()).toMatchObject({ revoked_by: 'ann', revoked_why: 'stolen laptop' });
    const refused = await report(agent);
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({
      error: { code: 'agent_revoked', message: expect.stringContaining('stolen laptop') as string },
    });
    const { url, token } = agent.answer.git;
    await expect(git(running.directory, 'ls-remote', withBasic(url, token ?? ''))).rejects.toThrow();
    expect((await actionsOf(agent))[0]).toBe('agent_revoked');
    // the first one counts
    await operator(path, { method: 'POST', body: '{"by":"bob"}' });
    expect((await agentRecord(agent))['revoked_by']).toBe('ann');
  });

  it('says itself that it left, and nobody says it for it', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const path = `/api/agents/${agent.issuer}/revoke`;
    const refused = await operator(path, { method: 'POST', body: '{"by":"agent"}' });
    expect([refused.status, (await report(agent)).status]).toEqual([422, 200]);
  });

  it('says goodbye itself, and is then as void as a revoked one', async () => {
    const agent = await enrolAgent(running, 'acme', clock.now());
    const answer = await speak(agent, '/edge/unenroll', { why: 'moved' });
    expect(await answer.json()).toEqual({ agent_id: agent.issuer, unenrolled: true });
    const again = await speak(agent, '/edge/unenroll', {});
    expect([again.status, await codeOf(again)]).toEqual([403, 'agent_revoked']);
    expect((await actionsOf(agent))[0]).toBe('agent_unenrolled');
    expect(await agentRecord(agent)).toMatchObject({ revoked_by: 'agent', revoked_why: 'moved' });
  });
});

describe('enrolment tokens', () => {
  const enrolWith = async (token: string, jwk = newKey()) =>
    speak({ jwk, issuer: jwk.kid }, '/edge/enroll', enrolBody(token, jwk));
  const listed = async (slug: string) => await running.console.admin.tokens(slug);

  it('are listed with what became of them, and say each in its own words why they are refused', async () => {
    const make = async (ttlMs = 3_600_000) =>
      running.console.admin.makeEnrolmentToken({ slug: 'globex', ttlMs });
    const [open, used, revoked, brief] = [await make(), await make(), await make(), await make(5_000)];
    expect((await enrolWith(used)).status).toBe(201);
    const [newest] = await listed('globex');
    const { tokens } = (await (await operator('/api/tokens?tenant=globex')).json()) as { tokens: unknown[] };
    expect(tokens).toHaveLength(4);
    expect(JSON.stringify(tokens)).not.toContain(open);
    expect(newest?.state).toBe('open');
    const idOf = (token: string) =>
      (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { jti: string }).jti;
    const path = `/api/tokens/${idOf(revoked)}`;
    expect((await operator(`${path}?tenant=acme`, { method: 'DELETE' })).status).toBe(404);
    expect((await operator(path, { method: 'DELETE' })).status).toBe(200);
    expect((await operator('/api/tokens/none', { method: 'DELETE' })).status).toBe(404);
    aheadMs += 10_000;
    const codes = [];
    const another = (token: string) => token.slice(0, -2) + (token.endsWith('AA') ? 'QQ' : 'AA');
    for (const token of [used, revoked, brief, another(open)])
      codes.push(await codeOf(await enrolWith(token)));
    expect(codes).toEqual(['token_used', 'token_revoked', 'token_expired', 'token_not_ours']);
    const states = Object.fromEntries(
      (await listed('globex')).map(({ token_id, state }) => [token_id, state]),
    );
    expect([open, used, revoked, brief].map((token) => states[idOf(token)])).toEqual([
      'open',
      'used',
      'revoked',
      'expired',
    ]);
    expect((await enrolWith(open)).status).toBe(201);
  });

  it('cannot be guessed at length, nor keys of agents and operators', async () => {
    await using strict = await startConsole({ limits: { strangerBurst: 5, strangerPerSecond: 1 } });
    await addTenant(strict, 'acme');
    const guesses: (() => Promise<Response>)[] = [
      async () => {
        const jwk = newKey();
        return call({ jwk, issuer: jwk.kid }, 'POST', `${strict.url}/edge/enroll`, enrolBody('a.b.c', jwk));
      },
      async () => call({ jwk: newKey(), issuer: randomUUID() }, 'POST', `${strict.url}/edge/rotate-key`, {}),
      async () => fetch(`${strict.url}/api/audit`, { headers: { 'x-api-key': randomUUID() } }),
    ];
    for (const guess of guesses) {
      const statuses = [];
      for (let times = 0; times < 8; times += 1) statuses.push((await guess()).status);
      expect(statuses.at(-1)).toBe(429);
    }
  });
});
