import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signDraft } from '../../console/actions/signed-command.ts';
import { ActionAnswer, type ActionRequest, BuilderRunAnswer } from '../../schemas/console/action.ts';
import { RunDetail } from '../../schemas/console/run.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { bundleOf } from '../support/bundles.ts';
import { type ConsoleWorld, createConsoleWorld, type EnrolledMachine } from '../support/console-world.ts';
import { type Daemon, until } from '../support/daemon.ts';

/** Says so, then goes on until the file is there. */
const PATIENT = `import json, os, time
given = json.load(open(os.environ["EDGE_INPUT"]))
print("begin", flush=True)
while not os.path.exists(given["until"]): time.sleep(0.02)
`;
const ECHO = `import json, os
print("ran with", json.load(open(os.environ["EDGE_INPUT"])).get("n"))
`;

let world: ConsoleWorld;
const machines: EnrolledMachine[] = [];
const daemons: Daemon[] = [];
let first: EnrolledMachine;

beforeAll(async () => {
  world = await createConsoleWorld();
  const flow = async (id: string, version: string, script: string) => {
    const bundle = bundleOf({ 'main.py': script });
    const edge_url = await world.upload(`${id}-${version}.tar.gz`, bundle);
    return { id, version, edge_url, sha256: bundle.sha256, runtime: 'python' };
  };
  const patient = await flow('patient', 'v1', PATIENT);
  await world.release([await flow('echo', 'v1', ECHO), patient]);
  for (const name of ['one', 'two', 'three']) {
    const machine = await world.enrol(name);
    await machine.agent('reconcile');
    machines.push(machine);
  }
  first = machines[0] as EnrolledMachine;
  await world.release([await flow('echo', 'v2', `${ECHO}# two\n`), patient]);
  for (const machine of machines) daemons.push(machine.start());
  const given = await call(`tenants/acme/trigger-key`, 'PUT', { key: world.triggerKey });
  if (given.status !== 200) throw new Error(`expected 200, found ${given.status}`);
  for (const machine of machines)
    await until('v2 of echo there', async () => (await activeOf(machine)) === 'v2', 60_000);
  for (const machine of machines)
    await until('its tunnel', async () => (await shown(machine)).tunnel.connected, 60_000);
}, 240_000);
afterAll(async () => {
  for (const daemon of daemons) await daemon.stop('SIGKILL');
  await world[Symbol.asyncDispose]();
});

interface Shown {
  readonly tunnel: { readonly connected: boolean };
  readonly status: {
    readonly suspended: { readonly by: string; readonly why: string } | null;
    readonly flows: readonly { readonly id: string; readonly active_version: string }[];
  } | null;
}
const call = (path: string, method = 'GET', body?: unknown) =>
  fetch(`${world.url}/${path.startsWith('flows') ? path : `api/${path}`}`, {
    method,
    headers: {
      'x-api-key': world.running.apiKey,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const shown = async (machine: EnrolledMachine) =>
  (await (await call(`agents/${machine.agentId}`)).json()) as Shown;
const activeOf = async (machine: EnrolledMachine) =>
  (await shown(machine)).status?.flows.find(({ id }) => id === 'echo')?.active_version;
const ask = async (request: Partial<ActionRequest>) => {
  const answer = await call('actions', 'POST', {
    reason: 'an exercise',
    targets: { agents: [first.agentId] },
    ...request,
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`expected 200, found ${answer.status}: ${text}`);
  return ActionAnswer.parse(JSON.parse(text));
};
const detail = async (runId: string) => {
  const answer = await call(`agents/${first.agentId}/runs/${runId}`);
  return answer.ok ? RunDetail.parse(await answer.json()) : null;
};
const ended = (runId: string, state: string) =>
  until(
    `the run ${runId} to be ${state} and reported`,
    async () => {
      const found = await detail(runId);
      return found?.state === state && found.steps.some(({ kind }) => kind === 'reported') ? found : null;
    },
    60_000,
  );

describe('a real agent, asked by the console', () => {
  it('runs a flow, which is seen from the button to the report', async () => {
    const { outcomes } = await ask({ action: 'run', flow: 'echo', inputs: { n: 7 } });
    const found = await ended(outcomes[0]?.run_id ?? '', 'succeeded');
    expect(found).toMatchObject({ version: 'v2', trigger: 'command', commit: { subject: 'Release 2' } });
    expect(found.steps.map(({ kind }) => kind)).toEqual([
      'asked',
      'sent',
      'acknowledged',
      'started',
      'ended',
      'reported',
    ]);
    expect(found.steps[0]).toMatchObject({ by: 'key:test', message: 'an exercise' });
    const log = await call(`agents/${first.agentId}/runs/${found.run_id}/log`);
    expect(await log.text()).toBe('ran with 7\n');
  });

  it('cancels a run', async () => {
    const file = join(first.folder, 'never');
    const { outcomes } = await ask({ action: 'run', flow: 'patient', inputs: { until: file } });
    const runId = outcomes[0]?.run_id ?? '';
    await until('its start', async () => (await detail(runId))?.state === 'running', 60_000);
    await ask({ action: 'cancel', run_id: runId, reason: 'enough' });
    const found = await ended(runId, 'cancelled');
    expect(found.steps.find(({ kind }) => kind === 'cancel_asked')).toMatchObject({ message: 'enough' });
    expect((await ask({ action: 'cancel', run_id: runId })).outcomes[0]?.code).toBe('run_ended');
    expect(existsSync(file)).toBe(false);
  });

  it('is suspended, rolled back and resumed, three at once', async () => {
    const targets = { filter: { flow: 'echo' }, expected: 3 };
    expect((await ask({ action: 'suspend', targets, reason: 'audit' })).counts).toMatchObject({
      queued: 3,
      offline: 0,
    });
    for (const machine of machines) {
      await until(
        'the suspension',
        async () => (await shown(machine)).status?.suspended?.why === 'audit',
        60_000,
      );
    }
    expect((await shown(first)).status?.suspended?.by).toBe('key:test');
    const back = { action: 'rollback', flow: 'echo', targets } as const;
    expect((await ask({ ...back, dry_run: true })).versions).toEqual([
      { flow: 'echo', from: 'v2', to: 'v1', agents: 3 },
    ]);
    expect((await ask(back)).counts.queued).toBe(3);
    for (const machine of machines)
      await until('v1 again', async () => (await activeOf(machine)) === 'v1', 60_000);
    await ask({ action: 'resume', targets });
    for (const machine of machines) {
      await until(
        'v2 after the hold',
        async () => (await activeOf(machine)) === 'v2' && (await shown(machine)).status?.suspended === null,
        60_000,
      );
    }
  });

  it('is chosen for the Builder, which waits for the result', async () => {
    const answer = await call('flows/echo/run', 'POST', { inputs: { n: 9 }, wait: 60 });
    expect(answer.status).toBe(200);
    const run = BuilderRunAnswer.parse(await answer.json());
    expect(run).toMatchObject({ state: 'succeeded', result: { stdout: 'ran with 9\n', exit_code: 0 } });
    expect(machines.map(({ agentId }) => agentId)).toContain(run.agent_id);
  });

  it('does not believe a key that its root does not list, and says so', async () => {
    const other = newKey();
    const run_id = 'r-foreign';
    const jws = await signDraft(
      { action: 'run', run_id, flow: 'echo' },
      {
        commandId: 'c-foreign',
        tenant: 'acme',
        agentId: first.agentId,
        issued: new Date(),
        lifetimeMs: 60_000,
      },
      other,
    );
    expect((await call(`agents/${first.agentId}/commands`, 'POST', { jws })).status).toBe(202);
    const found = await until(
      'the refusal',
      async () => {
        const now = await detail(run_id);
        return now?.state === 'refused' ? now : null;
      },
      60_000,
    );
    expect(found.reason).toContain('key_unknown');
  });
});
