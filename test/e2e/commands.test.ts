import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Event } from '../../schemas/event.ts';
import type { RunReport } from '../../schemas/run.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { bundleOf } from '../support/bundles.ts';
import { type ConsoleWorld, createConsoleWorld, type EnrolledMachine } from '../support/console-world.ts';
import { type Daemon, until } from '../support/daemon.ts';
import { goodHeader, signRaw } from '../trust/signed-commands.ts';

/** Says so, then goes on until the file is there; notes each time it was started. */
const PATIENT = `import json, os, sys, time
given = json.load(open(os.environ["EDGE_INPUT"]))
with open(given["started"], "a") as note: note.write(os.environ["EDGE_RUN_ID"] + "\\n")
print("begin", flush=True)
print("a warning", file=sys.stderr, flush=True)
while not os.path.exists(given["until"]): time.sleep(0.02)
print("end", flush=True)
`;
const ECHO = `import json, os
print("ran with", json.load(open(os.environ["EDGE_INPUT"])).get("n"))
`;

/** A guard against hanging: two dozen runs on a machine that is busy with others took more than a minute. */
const REPORT_WITHIN_MS = 240_000;

let world: ConsoleWorld;
let machine: EnrolledMachine;
let daemon: Daemon | null = null;
let turn = 0;

beforeAll(async () => {
  world = await createConsoleWorld();
  const flow = async (id: string, version: string, script: string, more: object = {}) => {
    const bundle = bundleOf({ 'main.py': script });
    const edge_url = await world.upload(`${id}-${version}.tar.gz`, bundle);
    return { id, version, edge_url, sha256: bundle.sha256, runtime: 'python', ...more };
  };
  const patient = await flow('patient', 'v1', PATIENT);
  await world.release([await flow('echo', 'v1', ECHO), patient]);
  machine = await world.enrol('one');
  await machine.agent('reconcile');
  await world.release([await flow('echo', 'v2', `${ECHO}# two\n`), patient]);
  await machine.agent('reconcile');
}, 180_000);
afterAll(async () => {
  for (; turn > 0; turn -= 1) letEnd();
  await kill();
  await world[Symbol.asyncDispose]();
});

beforeEach(async () => {
  turn += 1;
  if (daemon === null) await start();
});

const connected = async () => (await ofConsole<{ tunnel: { connected: boolean } }>('')).tunnel.connected;

async function start(): Promise<void> {
  daemon = machine.start();
  await until('the tunnel', connected);
}

/** Like a power cut, for the agent. The console, which is told by its socket, knows when this is done: the next tunnel is another one. */
async function kill(): Promise<void> {
  await daemon?.stop('SIGKILL');
  daemon = null;
  await until('the end of the tunnel', async () => !(await connected()));
}

async function api<T>(path: string): Promise<T | null> {
  const answer = await fetch(`${world.url}/api/${path}`, { headers: { 'x-api-key': world.running.apiKey } });
  return answer.ok ? ((await answer.json()) as T) : null;
}
const ofConsole = async <T>(path: string): Promise<T> => {
  const answer = await api<T>(`agents/${machine.agentId}${path}`);
  if (answer === null) throw new Error(`expected an answer to ${path}`);
  return answer;
};
const reportOf = (runId: string) =>
  until(`the report of ${runId}`, () => api<RunReport>(`runs/${runId}`), REPORT_WITHIN_MS);
const log = async (runId: string, stream = 'stdout', offset = 0) => {
  const path = `agents/${machine.agentId}/runs/${runId}/log?stream=${stream}&offset=${offset}`;
  const answer = await fetch(`${world.url}/api/${path}`, { headers: { 'x-api-key': world.running.apiKey } });
  return answer.ok ? answer.text() : '';
};
const commands = async () => {
  const list = await ofConsole<{ commands: { command_id: string; state: string; code: string | null }[] }>(
    '/commands',
  );
  return list.commands;
};
const events = () => machine.json<Event[]>('events');
const inputs = () => ({
  started: join(machine.folder, `started-${turn}`),
  until: join(machine.folder, `until-${turn}`),
});
const startedRuns = () => {
  const { started } = inputs();
  return existsSync(started) ? readFileSync(started, 'utf8').trim().split('\n') : [];
};
const letEnd = () => writeFileSync(inputs().until, '');
const post = (jws: string) =>
  fetch(`${world.url}/api/agents/${machine.agentId}/commands`, {
    method: 'POST',
    headers: { 'x-api-key': world.running.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ jws }),
  });

describe('a command through the tunnel', () => {
  it('runs a flow and brings the result, with one history from trigger to end', async () => {
    const run_id = `r-${turn}`;
    const { command_id } = await world.send(machine.agentId, {
      action: 'run',
      run_id,
      flow: 'echo',
      inputs: { n: 7 },
    });
    expect(await reportOf(run_id)).toMatchObject({
      status: 'succeeded',
      trigger: 'command',
      version: 'v2',
      stdout: 'ran with 7\n',
    });
    const history = (await events()).filter((event) => event.run_id === run_id);
    expect(history.map((event) => event.reason).sort()).toEqual(
      ['CommandAccepted', 'CommandDone', 'RunQueued', 'RunStarted', 'RunSucceeded'].sort(),
    );
    expect(history.find((event) => event.reason === 'RunQueued')?.because).toBe(`command ${command_id}`);
    await until('the console to know that it was taken', async () =>
      (await commands()).some(
        (command) => command.command_id === command_id && command.state === 'acknowledged',
      ),
    );
  });

  it('shows what the run prints while it goes on, at the console and on the machine', async () => {
    const run_id = `r-${turn}`;
    await world.send(machine.agentId, { action: 'run', run_id, flow: 'patient', inputs: inputs() });
    await until('its start', () => startedRuns().length === 1);
    await expect.poll(() => log(run_id)).toBe('begin\n');
    await until('the other stream', async () => (await log(run_id, 'stderr')) === 'a warning\n');
    const first = machine.start('logs', run_id, '--stream', 'stdout', '--follow');
    await until('the first line on the machine', () => first.output() === 'begin\n');
    const rest = machine.start('logs', run_id, '--stream', 'stdout', '--offset', '4', '--follow');
    await until('what follows the offset', () => rest.output() === 'n\n');
    expect(await api(`runs/${run_id}`)).toBeNull();
    letEnd();
    await reportOf(run_id);
    await until('the last line at the console', async () => (await log(run_id)) === 'begin\nend\n');
    await until('the last line on the machine', () => first.output() === 'begin\nend\n');
    await until('the last line after the offset', () => rest.output() === 'n\nend\n');
    await Promise.all([first.stop(), rest.stop()]);
  });

  it('goes on showing it where it was, when the connection was gone for a while', async () => {
    const run_id = `r-${turn}`;
    await world.send(machine.agentId, { action: 'run', run_id, flow: 'patient', inputs: inputs() });
    await until('the first line', async () => (await log(run_id)) === 'begin\n');
    await machine.adjust([[['tunnel'], { kind: 'none' }]]);
    try {
      await until('the end of the connection', async () => !(await connected()));
      letEnd();
      expect(await reportOf(run_id)).toMatchObject({ status: 'succeeded' });
      expect(await log(run_id)).toBe('begin\n');
    } finally {
      await machine.adjust([[['tunnel'], { kind: 'websocket' }]]);
    }
    await until('the rest', async () => (await log(run_id)) === 'begin\nend\n');
  });

  it('cancels a run', async () => {
    const run_id = `r-${turn}`;
    await world.send(machine.agentId, { action: 'run', run_id, flow: 'patient', inputs: inputs() });
    await until('its start', () => startedRuns().length === 1);
    await world.send(machine.agentId, { action: 'cancel', run_id });
    expect(await reportOf(run_id)).toMatchObject({ status: 'cancelled' });
  });

  it('that cannot run ends as a failed run at the console, with the reason', async () => {
    const runs = [`r-${turn}-a`, `r-${turn}-b`] as const;
    await world.send(machine.agentId, { action: 'run', run_id: runs[0], flow: 'payroll' });
    await world.send(machine.agentId, { action: 'run', run_id: runs[1], flow: 'echo', version: 'v9' });
    expect(await reportOf(runs[0])).toMatchObject({
      status: 'failed',
      attempt: 0,
      trigger: 'command',
      reason: expect.stringContaining('payroll'),
    });
    expect(await reportOf(runs[1])).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('v9'),
    });
  });

  it('suspends, rolls back and resumes; a suspended agent still runs flows', async () => {
    const status = () =>
      machine.json<{ suspended: { by: string } | null; flows: { id: string; active_version: string }[] }>(
        'status',
      );
    const active = async () => (await status()).flows.find((flow) => flow.id === 'echo')?.active_version;
    await world.send(machine.agentId, { action: 'suspend', by: 'Ann', why: 'audit' });
    await until('the suspension', async () => (await status()).suspended?.by === 'Ann');
    await world.send(machine.agentId, { action: 'rollback', flow: 'echo', by: 'Ann', why: 'wrong totals' });
    await until('the version before', async () => (await active()) === 'v1');
    const run_id = `r-${turn}`;
    await world.send(machine.agentId, { action: 'run', run_id, flow: 'echo' });
    expect(await reportOf(run_id)).toMatchObject({ status: 'succeeded', version: 'v1' });
    await world.send(machine.agentId, { action: 'resume', by: 'Bob' });
    await until('the end of the suspension', async () => (await status()).suspended === null);
    await until('the version of the manifest', async () => (await active()) === 'v2');
  });
});

describe('a command that is not to be believed', () => {
  it('does nothing; the console and the history say why', async () => {
    const run_id = `r-${turn}`;
    const good = await world.sign(machine.agentId, { action: 'run', run_id, flow: 'echo' });
    const payload = JSON.parse(
      Buffer.from(good.split('.')[1] as string, 'base64url').toString('utf8'),
    ) as object;
    const header = goodHeader(world.triggerKey);
    const ahead = {
      command_id: `ahead-${turn}`,
      issued: new Date(Date.now() + 600_000).toISOString(),
      expires: new Date(Date.now() + 1_200_000).toISOString(),
    };
    const stranger = newKey();
    const sent = {
      [`forged-${turn}`]: [
        signRaw(header, { ...payload, command_id: `forged-${turn}` }, stranger),
        'signature_invalid',
      ],
      [`stranger-${turn}`]: [
        signRaw(goodHeader(stranger), { ...payload, command_id: `stranger-${turn}` }, stranger),
        'key_unknown',
      ],
      [ahead.command_id]: [signRaw(header, { ...payload, ...ahead }, world.triggerKey), 'issued_in_future'],
    } as const;
    for (const [id, [jws, code]] of Object.entries(sent)) {
      expect((await post(jws)).status).toBe(202);
      await until(`the refusal of ${id}`, async () =>
        (await commands()).some((command) => command.command_id === id && command.code === code),
      );
    }
    const refusals = (await events()).filter((event) => event.reason === 'CommandRefused');
    expect(refusals.map((event) => event.because)).toEqual([
      'signature_invalid',
      'key_unknown',
      'issued_in_future',
    ]);
    expect(JSON.stringify(await machine.json('runs'))).not.toContain(`"${run_id}"`);
  });
});

describe('a command is done once', () => {
  it('although it is sent again and again, also after a kill of the agent', async () => {
    const run_id = `r-${turn}`;
    const jws = await world.sign(machine.agentId, {
      action: 'run',
      run_id,
      flow: 'patient',
      inputs: inputs(),
    });
    for (let sent = 0; sent < 3; sent += 1) expect((await post(jws)).status).toBe(202);
    await until('its start', () => startedRuns().length === 1);
    await kill();
    await start();
    await post(jws);
    const again = await world.sign(machine.agentId, {
      action: 'run',
      run_id,
      flow: 'patient',
      inputs: inputs(),
    });
    await post(again);
    expect(await reportOf(run_id)).toMatchObject({ status: 'lost' });
    await until('the answer to the second command', async () =>
      (await events()).some((event) => event.message.includes(`run ${run_id} is known already`)),
    );
    letEnd();
    expect(startedRuns()).toEqual([run_id]);
  });

  it('although the agent is killed again and again while they come: none is lost, none is done twice', async () => {
    const ids = Array.from({ length: 24 }, (_, index) => `r-${turn}-${index}`);
    letEnd();
    for (const [index, run_id] of ids.entries()) {
      await world.send(machine.agentId, { action: 'run', run_id, flow: 'patient', inputs: inputs() });
      if (index % 8 !== 7) continue;
      // Somewhere between taking a command and reporting a run.
      await sleep(40 * index);
      await kill();
      await start();
    }
    const reports = await Promise.all(ids.map(reportOf));
    const ended = reports.map((report) => report.status);
    expect(ended.filter((status) => status !== 'succeeded' && status !== 'lost')).toEqual([]);
    const began = startedRuns();
    expect(began.length).toBe(new Set(began).size);
    const succeeded = reports
      .filter((report) => report.status === 'succeeded')
      .map((report) => report.run_id);
    expect(succeeded.filter((id) => !began.includes(id))).toEqual([]);
  }, 420_000);

  it('and not at all when it is older than a state that was lost', async () => {
    const old = await world.sign(machine.agentId, { action: 'run', run_id: `r-${turn}`, flow: 'echo' });
    await kill();
    await rm(join(machine.cache, '.agent'), { recursive: true, force: true });
    await start();
    await post(old);
    await until('the refusal', async () =>
      (await events()).some((event) => event.because === 'older_than_state'),
    );
    await machine.agent('reconcile');
    await world.send(machine.agentId, { action: 'run', run_id: `r-${turn}-new`, flow: 'echo' });
    expect(await reportOf(`r-${turn}-new`)).toMatchObject({ status: 'succeeded' });
  });
});
