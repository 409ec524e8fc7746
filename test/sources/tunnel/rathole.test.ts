import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { requirePart } from '../../support/parts.ts';
import { openTunnelRig, type TunnelRig } from '../../support/tunnel-rig.ts';
import {
  startRatholeServer,
  TOKEN,
  type Transport,
  type TunnelServer,
} from '../../support/tunnel-servers.ts';

const program = requirePart('rathole');
const rathole = program ?? 'absent';

let closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  closing = [];
});

type Changes = Partial<Parameters<typeof openTunnelRig>[0]>;

async function serve(transport: Transport, options: { service?: string } = {}): Promise<TunnelServer> {
  const server = await startRatholeServer(rathole, { transport, ...options });
  closing.push(() => server.close());
  return server;
}

function rig(
  server: Pick<TunnelServer, 'server' | 'caFile' | 'publicKey'>,
  changes: Changes = {},
  token = TOKEN,
): TunnelRig {
  const opened = openTunnelRig(
    {
      kind: 'rathole',
      server: server.server,
      service: 'acme-lyon',
      transport: 'tcp',
      binary: rathole,
      ...(server.caFile === null ? {} : { ca_file: server.caFile }),
      ...(server.publicKey === null ? {} : { remote_public_key: server.publicKey }),
      ...changes,
    },
    token,
  );
  closing.push(() => opened.close());
  opened.run();
  return opened;
}

/** After a change of clients the server may need a moment: a sender sends again, and 409 says that it was taken. */
async function delivers(server: TunnelServer, agent: TunnelRig): Promise<boolean> {
  const jws = await agent.sign();
  await expect.poll(async () => [202, 409].includes((await server.post(jws))?.status ?? 0)).toBe(true);
  return agent.commands.get('c-1') !== null;
}

const stateOf = (opened: TunnelRig) => expect.poll(() => opened.tunnel.state().state);

describe.skipIf(program === null)('a rathole tunnel', () => {
  test.each(['tcp', 'tls', 'noise', 'websocket'] as const)(
    'brings a signed command from the public side to the inbox over %s',
    async (transport) => {
      const server = await serve(transport);
      const agent = rig(server, { transport });
      await stateOf(agent).toBe('connected');
      expect(await server.post(await agent.sign())).toEqual({ status: 202, body: { command_id: 'c-1' } });
      expect(agent.commands.get('c-1')).toMatchObject({ via: 'rathole', doneAt: null });
      expect(await server.post(await agent.sign())).toMatchObject({ status: 409 });
      expect(await server.post('no.command.this')).toMatchObject({ status: 401 });
      expect(agent.reasons()).toEqual(['TunnelConnected', 'CommandAccepted', 'CommandRefused']);
    },
  );

  test('takes a service name that would be TOML of its own', async () => {
    const service = 'a "b]\\ = \u{1F600} {{x}}';
    const server = await serve('tcp', { service });
    const agent = rig(server, { service });
    await stateOf(agent).toBe('connected');
    expect(await delivers(server, agent)).toBe(true);
  });

  test('is not connected with a wrong token, says so, and takes the right one without a restart', async () => {
    const server = await serve('tcp');
    const agent = rig(server, {}, 'wrong-token-7391');
    await expect.poll(() => agent.tunnel.state().message).toContain('Incorrect token');
    expect(agent.states).not.toContain('connected');
    expect(agent.reasons()).toEqual(['TunnelFailed']);
    expect(agent.said()).not.toContain('wrong-token-7391');
    writeFileSync(agent.tokenFile, TOKEN);
    await stateOf(agent).toBe('connected');
  });

  test('is not connected to a server whose certificate another authority made', async () => {
    const [server, other] = [await serve('tls'), await serve('tls')];
    const agent = rig({ ...server, caFile: other.caFile }, { transport: 'tls' });
    await expect.poll(() => agent.tunnel.state().message).toContain('certificate verify failed');
    expect(agent.states).not.toContain('connected');
  });

  test('is not connected to a server with another Noise key', async () => {
    const [server, other] = [await serve('noise'), await serve('noise')];
    const agent = rig({ ...server, publicKey: other.publicKey }, { transport: 'noise' });
    await expect.poll(() => agent.tunnel.state().message).toMatch(/noise|connection/i);
    expect(agent.states).not.toContain('connected');
  });

  test('is disconnected while the server is down, and connected when it is back', async () => {
    const server = await serve('tcp');
    const agent = rig(server);
    await stateOf(agent).toBe('connected');
    await server.kill();
    await stateOf(agent).toBe('disconnected');
    await server.start();
    await stateOf(agent).toBe('connected');
    expect(await delivers(server, agent)).toBe(true);
    expect(agent.reasons().slice(0, 2)).toEqual(['TunnelConnected', 'TunnelDisconnected']);
  });

  test('starts another client when the client is killed', async () => {
    const server = await serve('tcp');
    const agent = rig(server);
    await stateOf(agent).toBe('connected');
    const [first] = await agent.clients();
    process.kill(first as number, 'SIGKILL');
    await expect.poll(agent.reasons).toEqual(['TunnelConnected', 'TunnelDisconnected', 'TunnelConnected']);
    expect(agent.events[1]?.because).toContain('SIGKILL');
    expect(await agent.clients()).toHaveLength(1);
    expect(await agent.clients()).not.toContain(first);
    expect(await delivers(server, agent)).toBe(true);
  });

  test('survives the panic of a client whose handshake failed', async () => {
    const server = await serve('tls');
    const agent = rig(server, { transport: 'websocket' });
    await expect.poll(() => agent.tunnel.state().message).toMatch(/SIGABRT.*failed to connect/);
    expect(agent.states).not.toContain('connected');
    expect(agent.reasons()).toEqual(['TunnelFailed']);
  });

  test('ends the client of an earlier life before it starts its own', async () => {
    const server = await serve('tcp');
    const agent = rig(server, { binary: join('/nowhere', 'rathole') });
    await stateOf(agent).toBe('disconnected');
    await agent.stop();
    const orphan = spawn('sleep', ['600'], {
      env: { ...process.env, EDGE_AGENT_TUNNEL: agent.folder },
      stdio: 'ignore',
    });
    const gone = once(orphan, 'exit');
    expect(await agent.clients()).toEqual([orphan.pid]);
    agent.run();
    expect(await gone).toEqual([null, 'SIGKILL']);
    await expect
      .poll(() => agent.log.lines.map(({ message }) => message))
      .toContain('Tunnel clients of an earlier life were ended');
  });

  test('leaves neither process nor file when the agent ends', async () => {
    const server = await serve('tcp');
    const agent = rig(server);
    await stateOf(agent).toBe('connected');
    const path = join(agent.folder, 'rathole.toml');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(agent.folder).mode & 0o777).toBe(0o700);
    await agent.stop();
    expect(agent.tunnel.state().state).toBe('disconnected');
    expect(await agent.clients()).toEqual([]);
    expect(existsSync(path)).toBe(false);
    expect(await server.post(await agent.sign())).toBeNull();
  });

  test('ends at once while a server that says nothing keeps it waiting', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    closing.push(async () => {
      for (const socket of sockets) socket.destroy();
      silent.close();
      await once(silent, 'close');
    });
    const { port } = silent.address() as { port: number };
    const agent = rig({ server: `127.0.0.1:${port}`, caFile: null, publicKey: null });
    await expect.poll(() => sockets.length).toBe(1);
    expect(agent.tunnel.state().state).toBe('connecting');
    await agent.stop();
    expect(await agent.clients()).toEqual([]);
  });

  test.skipIf(process.platform !== 'linux')(
    'keeps its token out of arguments, environment, log, events and state',
    async () => {
      const server = await serve('tcp');
      const agent = rig(server);
      await stateOf(agent).toBe('connected');
      expect(agent.configuration('rathole.toml')).toContain('token');
      const [pid] = await agent.clients();
      const shown =
        [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`].map((path) => readFileSync(path, 'latin1')).join() +
        agent.said();
      expect(shown).toContain('acme-lyon');
      expect(shown).not.toContain('Envs.HOME');
    },
  );

  test('waits for a program that is not installed, and says what to install', async () => {
    const server = await serve('tcp');
    const folder = mkdtempSync(join(tmpdir(), 'installed-later-'));
    closing.push(async () => rmSync(folder, { recursive: true }));
    const binary = join(folder, 'rathole');
    const agent = rig(server, { binary });
    await expect.poll(() => agent.tunnel.state().message).toContain('install rathole 0.5');
    expect(agent.reasons()).toEqual(['TunnelFailed']);
    symlinkSync(rathole, binary);
    await stateOf(agent).toBe('connected');
  });
});
