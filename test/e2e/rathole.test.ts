import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listProcesses } from '../../executors/process-table.ts';
import type { Event } from '../../schemas/event.ts';
import type { RunReport } from '../../schemas/run.ts';
import type { Status } from '../../schemas/status.ts';
import { bundleOf } from '../support/bundles.ts';
import { type ConsoleWorld, createConsoleWorld, type EnrolledMachine } from '../support/console-world.ts';
import { type Daemon, until } from '../support/daemon.ts';
import { requirePart } from '../support/parts.ts';
import { startRatholeServer, TOKEN, type TunnelServer } from '../support/tunnel-servers.ts';

const rathole = requirePart('rathole');
const ECHO = `import json, os
print("ran with", json.load(open(os.environ["EDGE_INPUT"])).get("n"))
`;

describe.skipIf(rathole === null)('an agent behind rathole', () => {
  let world: ConsoleWorld;
  let machine: EnrolledMachine;
  let server: TunnelServer;
  let daemon: Daemon | null = null;

  beforeAll(async () => {
    world = await createConsoleWorld();
    server = await startRatholeServer(rathole ?? 'absent', { transport: 'noise' });
    const bundle = bundleOf({ 'main.py': ECHO });
    const edge_url = await world.upload('echo.tar.gz', bundle);
    await world.release([{ id: 'echo', version: 'v1', edge_url, sha256: bundle.sha256, runtime: 'python' }]);
    machine = await world.enrol('one');
    writeFileSync(join(machine.folder, 'credentials', 'tunnel-token'), `${TOKEN}\n`, { mode: 0o644 });
    await throughRathole();
    await machine.agent('reconcile');
  }, 180_000);
  afterAll(async () => {
    await server.close();
    await world[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    await daemon?.stop('SIGTERM');
    daemon = null;
    for (const pid of await clients()) process.kill(pid, 'SIGKILL');
  });

  const throughRathole = () =>
    machine.adjust([
      [
        ['tunnel'],
        {
          kind: 'rathole',
          server: server.server,
          service: 'acme-lyon',
          token_file: 'credentials/tunnel-token',
          transport: 'noise',
          remote_public_key: server.publicKey,
          binary: rathole,
        },
      ],
    ]);
  const clients = async () => {
    const mark = `EDGE_AGENT_TUNNEL=${join(machine.cache, '.agent', 'tunnel')}`;
    return (await listProcesses(mark)).filter((entry) => entry.marked && !entry.zombie).map(({ pid }) => pid);
  };
  const stateOf = async () => (await machine.json<Status>('status')).tunnel.state;
  const start = async () => {
    daemon = machine.start();
    await until('the tunnel', async () => (await stateOf()) === 'connected');
    return daemon;
  };
  const reportOf = (runId: string) =>
    until(`the report of ${runId}`, async () => {
      const headers = { 'x-api-key': world.running.apiKey };
      const answer = await fetch(`${world.url}/api/runs/${runId}`, { headers });
      return answer.ok ? ((await answer.json()) as RunReport) : null;
    });
  const run = (n: number) =>
    world.sign(machine.agentId, { action: 'run', run_id: `r-${n}`, flow: 'echo', inputs: { n } });
  /** As a sender does: again until it is told that it arrived. */
  const deliver = (jws: string) =>
    until('the command to arrive', async () => {
      const answer = await server.post(jws);
      return answer !== null && [202, 409].includes(answer.status) ? answer : null;
    });

  it('runs a flow at a command from the public side, reports the result, and leaves no client', async () => {
    const { stop } = await start();
    const jws = await run(1);
    expect(await deliver(jws)).toMatchObject({ status: 202 });
    expect(await reportOf('r-1')).toMatchObject({
      status: 'succeeded',
      trigger: 'command',
      stdout: 'ran with 1\n',
    });
    expect(await server.post(jws)).toMatchObject({ status: 409 });
    expect(await server.post(`${jws}x`)).toMatchObject({ status: 401 });
    expect(await stop()).toBe(0);
    expect(await clients()).toEqual([]);
    const reasons = (await machine.json<Event[]>('events')).map(({ reason }) => reason);
    expect(reasons).toEqual(expect.arrayContaining(['TunnelConnected', 'CommandAccepted', 'CommandRefused']));
  });

  it('takes the place of the client that a killed agent left', async () => {
    const { stop } = await start();
    const [orphan] = await clients();
    await stop('SIGKILL');
    expect(await clients()).toEqual([orphan]);
    await start();
    await deliver(await run(2));
    expect(await reportOf('r-2')).toMatchObject({ stdout: 'ran with 2\n' });
    expect(await clients()).toHaveLength(1);
    expect(await clients()).not.toContain(orphan);
  });

  it('ends and begins as agent.yaml says, without a restart', async () => {
    await start();
    await machine.adjust([[['tunnel'], { kind: 'none' }]]);
    await until('no tunnel', async () => (await stateOf()) === 'none');
    expect(await clients()).toEqual([]);
    await throughRathole();
    await until('the tunnel again', async () => (await stateOf()) === 'connected');
    await deliver(await run(3));
    expect(await reportOf('r-3')).toMatchObject({ stdout: 'ran with 3\n' });
  });

  it('refuses to send commands over a network in the clear, with file, line and column', async () => {
    await machine.adjust([
      [['tunnel', 'server'], 'tunnel.example:2333'],
      [['tunnel', 'transport'], 'tcp'],
      [['tunnel', 'remote_public_key'], undefined],
    ]);
    const { code, stderr } = await machine.agent('validate');
    await throughRathole();
    expect(code).toBe(2);
    expect(stderr).toMatch(/agent\.yaml:\d+:\d+.*plain tcp only to loopback/s);
  });
});
