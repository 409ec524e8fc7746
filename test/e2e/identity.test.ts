import { once } from 'node:events';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Status } from '../../schemas/status.ts';
import { edgeAgent } from '../cli/edge-agent.ts';
import { AGENT_MAIN } from '../support/agent-program.ts';
import { bundleOf } from '../support/bundles.ts';
import { type ConsoleWorld, createConsoleWorld, type EnrolledMachine } from '../support/console-world.ts';
import { type Daemon, startProgram, until } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { type HoldingProxy, startHoldingProxy } from '../support/holding-proxy.ts';

const PATIENCE_MS = 60_000;
/** Who was replaced comes back after 32 to 64 s (sources/tunnel/reconnect.ts), and may be the first to speak again. */
const TURN_PATIENCE_MS = 150_000;
let world: ConsoleWorld;
let proxy: HoldingProxy | null = null;
const daemons: Daemon[] = [];
afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.stop('SIGKILL');
  await proxy?.[Symbol.asyncDispose]();
  proxy = null;
  await world[Symbol.asyncDispose]();
});

const start = (machine: EnrolledMachine, ...args: string[]): Daemon => {
  const daemon = machine.start(...args);
  daemons.push(daemon);
  return daemon;
};
const admin = () => world.running.console.admin;
const recordOf = async (agentId: string) =>
  (await admin().agents('acme')).find(({ agent_id }) => agent_id === agentId);
const actionsOf = async (agentId: string) =>
  (await admin().audit({ agent: agentId })).map(({ action }) => action);
const identityOf = async (machine: EnrolledMachine) =>
  (await machine.json<Status>('status').catch(() => null))?.identity ?? null;
const reasonsOf = async (machine: EnrolledMachine) =>
  (await machine.json<{ reason: string; because?: string }[]>('events')).map(
    ({ reason, because = '' }) => `${reason} ${because}`,
  );
const event = async (machine: EnrolledMachine, reason: string) =>
  until(
    `the event ${reason}`,
    async () => (await reasonsOf(machine)).find((each) => each.startsWith(reason)),
    PATIENCE_MS,
  );
/** Its exit code, once it has ended by itself. */
const ended = async (daemon: Daemon) =>
  until(
    'the end of the process',
    () => (daemon.process.exitCode === null ? null : { code: daemon.process.exitCode }),
    PATIENCE_MS,
  );
const heard = async (agentId: string, after = 0) =>
  until(
    'a status at the console',
    async () => {
      const found = await admin().status(agentId);
      return found !== null && Date.parse(found.received_at) > after;
    },
    PATIENCE_MS,
  );
const credentialsOf = async (machine: EnrolledMachine) =>
  (await readdir(join(machine.folder, 'credentials'))).toSorted();

async function releaseHello(): Promise<void> {
  const bundle = bundleOf({ 'main.py': 'print(1)\n' });
  const edge_url = await world.upload('hello.tar.gz', bundle);
  await world.release([{ id: 'hello', edge_url, sha256: bundle.sha256, runtime: 'python', version: 'v1' }]);
}

/** A console behind a wire on which answers can be lost. */
async function worldBehindProxy(): Promise<HoldingProxy> {
  const wire = await startHoldingProxy();
  const port = await freePort();
  wire.leadTo(port);
  world = await createConsoleWorld({ console: { port, publicUrl: wire.url } });
  proxy = wire;
  return wire;
}

async function tokenFile(name: string): Promise<string> {
  const path = join(world.folder, name);
  await writeFile(path, await admin().makeEnrolmentToken({ slug: 'acme' }));
  return path;
}

describe('the device key', () => {
  it('is changed by hand, with a daemon and without, and asked for by the console; a move to another machine is said', async () => {
    world = await createConsoleWorld();
    await releaseHello();
    const machine = await world.enrol('one');
    const first = (await recordOf(machine.agentId))?.thumbprint;
    const alone = await machine.json<{ before: string; thumbprint: string }>('keys', 'rotate-device');
    expect(alone.before).toBe(first);
    expect((await recordOf(machine.agentId))?.thumbprint).toBe(alone.thumbprint);
    // as if its disk had come from elsewhere
    const file = join(machine.folder, 'credentials', 'machine.json');
    const before = { format: 1, agent_id: machine.agentId, machine: 'x'.repeat(22), hostname: 'lyon-1' };
    await writeFile(file, JSON.stringify(before));
    const daemon = start(machine);
    expect(await event(machine, 'MachineChanged')).toMatch(/used on lyon-1 before/);
    await heard(machine.agentId);
    const noted = JSON.parse(await readFile(file, 'utf8')) as typeof before;
    expect(noted.machine).not.toBe(before.machine);
    // once a minute at most
    const soon = await machine.agent('keys', 'rotate-device');
    expect([soon.code, soon.stderr]).toEqual([5, expect.stringContaining('stays as it is') as string]);
    expect(await daemon.stop()).toBe(0);
    expect(await actionsOf(machine.agentId)).not.toContain('retired_key_used');
    const other = await world.enrol('two');
    expect(await admin().askRotation(other.agentId)).toBe(true);
    start(other);
    await until(
      'the key that was asked for',
      async () => (await actionsOf(other.agentId)).includes('key_rotated'),
      PATIENCE_MS,
    );
    await event(other, 'DeviceKeyChanged');
    expect(await credentialsOf(other)).not.toContain('device.next.jwk');
  }, 120_000);

  it('gets in after kill -9 while the answer to its change was lost', async () => {
    const wire = await worldBehindProxy();
    await releaseHello();
    const machine = await world.enrol('one');
    const before = (await recordOf(machine.agentId))?.thumbprint;
    wire.hold(true);
    const rotating = start(machine, 'keys', 'rotate-device');
    await until(
      'the new key at the console',
      async () => (await actionsOf(machine.agentId)).includes('key_rotated'),
      PATIENCE_MS,
    );
    await rotating.stop('SIGKILL');
    wire.hold(false);
    expect(await credentialsOf(machine)).toEqual(expect.arrayContaining(['device.jwk', 'device.next.jwk']));
    start(machine);
    await heard(machine.agentId);
    await until(
      'one key',
      async () => !(await credentialsOf(machine)).includes('device.next.jwk'),
      PATIENCE_MS,
    );
    expect((await recordOf(machine.agentId))?.thumbprint).not.toBe(before);
    expect((await actionsOf(machine.agentId)).filter((action) => action === 'key_rotated')).toHaveLength(1);
    expect(await actionsOf(machine.agentId)).not.toContain('retired_key_used');
  }, 120_000);
});

describe('a machine that was copied', () => {
  it('is noticed and named on both, keeps the tunnel from neither for long, and goes by unenroll --local', async () => {
    world = await createConsoleWorld({ console: { limits: { processOverlapMs: 1_000 } } });
    await releaseHello();
    const one = await world.enrol('one');
    start(one);
    await heard(one.agentId);
    await until('a tunnel', () => world.running.console.connected('acme') === 1, PATIENCE_MS);
    const folder = join(world.folder, 'machines', 'copy');
    await cp(one.folder, folder, { recursive: true, filter: (path) => !path.includes('EdgeFlows') });
    const config = join(folder, 'agent.yaml');
    // where its state lies, and its socket, is the only thing that is its own
    await writeFile(
      config,
      (await readFile(config, 'utf8')).replace(/edge_cache_dir: .*/, 'edge_cache_dir: ./EdgeFlows'),
    );
    const copy: EnrolledMachine = {
      ...one,
      folder,
      config,
      cache: join(folder, 'EdgeFlows'),
      agent: async (...args) => edgeAgent(['--config', config, ...args], { cwd: folder }),
      async json<T>(...args: string[]) {
        return (
          await edgeAgent(['--config', config, '--output', 'json', ...args], { cwd: folder })
        ).json() as T;
      },
      start: (...args) =>
        startProgram(AGENT_MAIN, folder, ['--config', config, ...(args.length === 0 ? ['run'] : args)]),
    };
    const second = start(copy);
    await until(
      'a conflict',
      async () => (await admin().conflict(one.agentId))?.state === 'ongoing',
      TURN_PATIENCE_MS,
    );
    expect((await admin().conflict(one.agentId))?.machines).toHaveLength(2);
    for (const machine of [one, copy]) {
      const told = await until(
        'an agent that knows',
        async () => {
          const identity = await identityOf(machine);
          return identity?.state === 'conflict' ? identity : null;
        },
        TURN_PATIENCE_MS,
      );
      expect(told.message).toMatch(/another machine speaks.*127\.0\.0\.1.*, this one.*unenroll --local/);
    }
    await event(copy, 'IdentityConflict');
    expect((await actionsOf(one.agentId)).filter((action) => action === 'identity_conflict')).toHaveLength(1);
    const left = await copy.json<{ console: string; was_enrolled: boolean }>('unenroll', '--local', '--yes');
    expect(left).toMatchObject({ console: 'not_told', was_enrolled: true });
    expect(await ended(second)).toEqual({ code: 0 });
    expect((await recordOf(one.agentId))?.revoked_at).toBe(null);
    await heard(one.agentId);
  }, 600_000);
});

describe('edge-agent unenroll', () => {
  it('ends the daemon, tells the console, leaves agent.yaml to its person, and lets the machine come back', async () => {
    world = await createConsoleWorld();
    await releaseHello();
    const machine = await world.enrol('one');
    await machine.adjust([[['labels'], { ring: 'canary' }]]);
    const daemon = start(machine);
    await until(
      'v1',
      async () => (await machine.json<Status>('status')).flows[0]?.active_version === 'v1',
      PATIENCE_MS,
    );
    expect((await machine.agent('unenroll')).code).toBe(2);
    const would = await machine.json<{ removed: string[] }>('unenroll', '--dry-run');
    expect(would.removed.map((path) => String(path.split('/').at(-1))).toSorted()).toEqual([
      'device.jwk',
      'git-token',
      'machine.json',
    ]);
    const done = await machine.json('unenroll', '--yes');
    expect(done).toMatchObject({
      was_enrolled: true,
      console: 'told',
      agent_id: machine.agentId,
      reports_waiting: 0,
    });
    expect(await ended(daemon)).toEqual({ code: 0 });
    expect(await recordOf(machine.agentId)).toMatchObject({ revoked_by: 'agent' });
    expect((await admin().events({ agent: machine.agentId })).map(({ event }) => event.reason)).toContain(
      'AgentUnenrolled',
    );
    const left = await credentialsOf(machine);
    expect(left).toEqual(['root.jws.json', 'trust-state.json', 'unenrolled.json']);
    expect(await readFile(machine.config, 'utf8')).not.toContain('agent_id');

    const run = await machine.agent('run');
    expect([run.code, run.stderr]).toEqual([
      4,
      expect.stringMatching(/found one that was unenrolled.*edge-agent enroll/) as string,
    ]);
    expect(await machine.json('unenroll', '--yes')).toMatchObject({ was_enrolled: false });

    const again = await machine.json<{ agent_id: string }>(
      'enroll',
      '--token-file',
      await tokenFile('token'),
    );
    expect(again.agent_id).not.toBe(machine.agentId);
    const text = await readFile(machine.config, 'utf8');
    expect(text).toMatch(new RegExp(`tenant: acme\nagent_id: ${again.agent_id}\n`));
    expect(text).toContain('ring: canary');
    expect((await machine.agent('reconcile')).code).toBe(0);
    start(machine);
    await heard(again.agent_id);
    // the history of the other agent stays its own
    await until(
      'its own events',
      async () => (await admin().events({ agent: again.agent_id })).length > 0,
      PATIENCE_MS,
    );
  }, 180_000);

  it('loses nothing where the console cannot be told, unless it is to go on; --purge leaves nothing behind', async () => {
    const wire = await worldBehindProxy();
    await releaseHello();
    const machine = await world.enrol('one');
    expect((await machine.agent('reconcile')).code).toBe(0);
    const before = await credentialsOf(machine);
    // a hotel asks to sign in: that is no word of the console
    const hotel = createServer((_request, answer) => answer.writeHead(401).end('<h1>Sign in</h1>'));
    await once(hotel.listen(0, '127.0.0.1'), 'listening');
    wire.leadTo((hotel.address() as AddressInfo).port);
    const unsure = await machine.agent('unenroll', '--yes');
    hotel.close();
    expect([unsure.code, unsure.stderr]).toEqual([5, expect.stringMatching(/found 401/) as string]);
    expect(await credentialsOf(machine)).toEqual(before);
    wire.leadTo(await freePort());
    const refused = await machine.agent('unenroll', '--yes');
    expect([refused.code, refused.stderr]).toEqual([
      5,
      expect.stringMatching(/nothing was removed.*--force/) as string,
    ]);
    expect(await credentialsOf(machine)).toEqual(before);
    const forced = await machine.json('unenroll', '--yes', '--force', '--purge');
    expect(forced).toMatchObject({ console: 'not_told', was_enrolled: true });
    expect(await credentialsOf(machine)).toEqual(['unenrolled.json']);
    expect(await readdir(machine.folder)).not.toContain('EdgeFlows');
    expect((await recordOf(machine.agentId))?.revoked_at).toBe(null);
  }, 120_000);

  it('is finished by the next one when kill -9 ended it after the console had heard', async () => {
    const wire = await worldBehindProxy();
    await releaseHello();
    const machine = await world.enrol('one');
    expect((await machine.agent('reconcile')).code).toBe(0);
    const leaving = start(machine, 'unenroll', '--yes');
    // its reports are delivered; of the farewell the answer is lost
    await until(
      'its farewell',
      async () => {
        const said = (await admin().events({ agent: machine.agentId })).some(
          ({ event }) => event.reason === 'AgentUnenrolled',
        );
        if (said) wire.hold(true);
        return said;
      },
      PATIENCE_MS,
    );
    await until(
      'the end at the console',
      async () => (await recordOf(machine.agentId))?.revoked_at,
      PATIENCE_MS,
    );
    await leaving.stop('SIGKILL');
    wire.hold(false);
    const finished = await machine.json('unenroll', '--yes');
    expect(finished).toMatchObject({ agent_id: machine.agentId });
    expect(await credentialsOf(machine)).toEqual(['root.jws.json', 'trust-state.json', 'unenrolled.json']);
    expect(await machine.json('unenroll', '--yes')).toMatchObject({ was_enrolled: false });
  }, 120_000);
});

describe('an agent that is revoked', () => {
  it('says who it was and why, keeps what is active, and comes back with a new token', async () => {
    world = await createConsoleWorld();
    await releaseHello();
    const machine = await world.enrol('one');
    start(machine);
    await until(
      'v1',
      async () => (await machine.json<Status>('status')).flows[0]?.active_version === 'v1',
      PATIENCE_MS,
    );
    await until('a tunnel', () => world.running.console.connected('acme') === 1, PATIENCE_MS);
    const queued = await world.sign(machine.agentId, { action: 'run', flow: 'hello' });
    await admin().revokeAgent(machine.agentId, { by: 'ann', why: 'left the company' });
    expect(world.running.console.connected('acme')).toBe(0);
    const handed = await fetch(`${world.url}/api/agents/${machine.agentId}/commands`, {
      method: 'POST',
      headers: { 'x-api-key': world.running.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({ jws: queued }),
    });
    expect(handed.status).toBe(409);
    const told = await until(
      'the agent to know',
      async () => {
        const identity = await identityOf(machine);
        return identity?.state === 'revoked' ? identity : null;
      },
      PATIENCE_MS,
    );
    expect(told.message).toMatch(/left the company.*what is active goes on.*edge-agent enroll/);
    await event(machine, 'IdentityRefused');
    const shown = (await machine.agent('status')).stdout;
    expect(shown.split('\n')[0]).toMatch(/^! Revoked .*takes nothing more/);
    expect(shown.split('left the company')).toHaveLength(2);
    expect((await machine.json<Status>('status')).flows[0]?.active_version).toBe('v1');

    const again = await machine.json<{ agent_id: string }>(
      'enroll',
      '--token-file',
      await tokenFile('token'),
    );
    expect(again.agent_id).not.toBe(machine.agentId);
    await heard(again.agent_id);
    await until('good standing', async () => (await identityOf(machine))?.state === 'enrolled', PATIENCE_MS);
    expect((await machine.json<Status>('status')).flows[0]?.active_version).toBe('v1');
  }, 180_000);
});
