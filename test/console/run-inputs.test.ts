import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../console/limits.ts';
import { openState } from '../../console/state.ts';
import { RunDetail } from '../../schemas/console/run.ts';
import { createManualClock } from '../../system/clock.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { publicPart } from '../../trust/thumbprint.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  rootDocument,
  runReport,
  startConsole,
} from './running-console.ts';
import { command } from './tunnel-client.ts';

const GIVEN = { orders: [{ amount: 10, customer: 'Ada Lovelace' }], month: '2026-11' };

let running: RunningConsole;
let agent: EnrolledAgent;
const keys: Record<'viewer' | 'operator', string> = { viewer: '', operator: '' };

beforeAll(async () => {
  running = await startConsole({ limits: { agentBurst: 10_000, strangerBurst: 10_000 } });
  await addTenant(running, 'acme');
  agent = await enrolAgent(running, 'acme');
  for (const role of ['viewer', 'operator'] as const) {
    keys[role] = await running.console.admin.newApiKey(role, { grants: [{ tenant: 'acme', role }] });
  }
});
afterAll(async () => running[Symbol.asyncDispose]());

const get = async (runId: string, as: keyof typeof keys, more = '') =>
  fetch(`${running.url}/api/agents/${agent.issuer}/runs/${runId}${more}`, {
    headers: { 'x-api-key': keys[as] },
  });
const inputsOf = async (runId: string, as: keyof typeof keys = 'operator') =>
  RunDetail.parse(await (await get(runId, as)).json()).inputs;
const ask = async (change: Parameters<typeof command>[1] = {}): Promise<string> => {
  const run_id = randomUUID();
  const { jws } = await command(agent, { run_id, ...change });
  const answer = await fetch(`${running.url}/api/agents/${agent.issuer}/commands`, {
    method: 'POST',
    headers: { 'x-api-key': keys.operator, 'content-type': 'text/plain' },
    body: jws,
  });
  expect(answer.status).toBe(202);
  return run_id;
};
const report = async (change: Parameters<typeof runReport>[0]): Promise<string> => {
  const body = runReport(change);
  const key = { 'idempotency-key': `${body.run_id}.${body.attempt}` };
  expect((await call(agent, 'POST', `${running.url}/edge/notify`, body, key)).ok).toBe(true);
  return body.run_id;
};

it('a run shows operators what it was given, word for word', async () => {
  const run = await ask({ inputs: GIVEN });
  expect(await inputsOf(run)).toEqual({
    kind: 'given',
    bytes: JSON.stringify(GIVEN).length,
    value: GIVEN,
  });
  const whole = await get(run, 'operator', '/inputs');
  expect(whole.headers.get('content-disposition')).toContain(`inputs-${run}.json`);
  expect(whole.headers.get('cache-control')).toContain('no-store');
  expect(await whole.json()).toEqual(GIVEN);
  expect(await inputsOf(await ask({ inputs: {} }))).toEqual({ kind: 'none' });
  expect(await inputsOf(await ask())).toEqual({ kind: 'none' });
});

it('a viewer is told that there are some, and never what they say', async () => {
  const run = await ask({ inputs: GIVEN });
  const page = await get(run, 'viewer');
  const text = await page.text();
  expect(RunDetail.parse(JSON.parse(text)).inputs).toEqual({ kind: 'withheld' });
  expect(text).not.toContain('Lovelace');
  const whole = await get(run, 'viewer', '/inputs');
  expect(whole.status).toBe(403);
  expect(await whole.text()).not.toContain('Lovelace');
});

it('what is large is left to a download', async () => {
  const large = { text: 'x'.repeat(20_000) };
  const run = await ask({ inputs: large });
  expect(await inputsOf(run)).toEqual({ kind: 'large', bytes: JSON.stringify(large).length });
  expect(await (await get(run, 'operator', '/inputs')).json()).toEqual(large);
});

it('what was not asked for here stays on the machine, and is said to', async () => {
  for (const trigger of ['schedule', 'local', 'command'] as const) {
    const run = await report({ run_id: randomUUID(), trigger });
    expect(await inputsOf(run)).toEqual({ kind: 'elsewhere' });
    expect(await inputsOf(run, 'viewer')).toEqual({ kind: 'elsewhere' });
    expect((await get(run, 'operator', '/inputs')).status).toBe(404);
  }
});

it('a second command under the id of a run does not pass for what the run was given', async () => {
  const run = await ask({ inputs: GIVEN });
  const { jws } = await command(agent, { run_id: run, inputs: { another: 'one' } });
  await fetch(`${running.url}/api/agents/${agent.issuer}/commands`, {
    method: 'POST',
    headers: { 'x-api-key': keys.operator, 'content-type': 'text/plain' },
    body: jws,
  });
  expect(await inputsOf(run)).toMatchObject({ kind: 'given', value: GIVEN });
});

it('inputs go with their run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'inputs-'));
  const clock = createManualClock(new Date('2026-11-20T15:00:00Z'));
  const state = await openState(folder, clock);
  try {
    await state.tenants.add({ slug: 'acme', rootDocument: await rootDocument(), artifacts: {} });
    const jwk = newKey();
    const known = { agent_id: 'a1', tenant: 'acme', thumbprint: jwk.kid, device_jwk: publicPart(jwk) };
    const system = { hostname: 'pc', os: 'linux', arch: 'x64', agent_version: '0.1.0' };
    await state.agents.save({ ...known, ...system, enrolled_at: '2026-11-20T15:00:00Z' }, 'git-token');
    const of = await state.agents.get('a1');
    if (of === null) throw new Error('expected the agent');
    const time = { issued: '2026-11-20T15:00:00Z', expires: '2026-11-20T16:00:00Z' };
    const issuer = { issuer: 'a1', answer: { tenant: 'acme' } } as Parameters<typeof command>[0];
    for (const run_id of ['old', 'new']) {
      const { id, jws } = await command(issuer, { ...time, run_id, inputs: GIVEN });
      await state.commands.add(of, jws, clock.now(), 10);
      await state.commands.settle('a1', [{ id, state: 'acknowledged' }], clock.now());
      const ended = {
        attempt: 1,
        flow: 'invoice-bot',
        version: 'v1',
        status: 'succeeded',
        exit_code: 0,
      } as const;
      const times = { started_at: time.issued, finished_at: time.issued };
      await state.progress.completed('a1', { run_id, ...ended, ...times }, clock.now());
    }
    await state.prune({ ...DEFAULT_LIMITS, keepRuns: 1 });
    expect(await state.runs.get('a1', 'old')).toBeNull();
    expect(await state.commands.asked('a1', 'old')).toBeNull();
    expect(await state.commands.asked('a1', 'new')).not.toBeNull();
    expect((await state.commands.list('a1', { limit: 10 }, clock.now())).map(({ run_id }) => run_id)).toEqual(
      ['new'],
    );
  } finally {
    await state.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
