import { afterEach, describe, expect, test } from 'vitest';
import { requirePart } from '../../support/parts.ts';
import { openTunnelRig, type TunnelRig } from '../../support/tunnel-rig.ts';
import { startFrpServer, TOKEN, type TunnelServer } from '../../support/tunnel-servers.ts';

const frpc = requirePart('frpc');
const frps = requirePart('frps');

let closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  closing = [];
});

async function serve(options: { tls: boolean; service?: string }): Promise<TunnelServer> {
  const server = await startFrpServer(frps ?? 'absent', options);
  closing.push(() => server.close());
  return server;
}

function rig(
  server: TunnelServer,
  changes: Partial<Parameters<typeof openTunnelRig>[0]> = {},
  token = TOKEN,
): TunnelRig {
  const tunnel = {
    kind: 'frp' as const,
    server: server.server,
    service: 'acme-lyon',
    transport: 'tcp' as const,
    binary: frpc ?? 'absent',
    ...(server.caFile === null ? {} : { ca_file: server.caFile }),
    ...changes,
  };
  const opened = openTunnelRig(tunnel, token);
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

describe.skipIf(frpc === null || frps === null)('an frp tunnel', () => {
  test.each([
    { transport: 'tcp', tls: false, service: 'acme-lyon' },
    { transport: 'tls', tls: true, service: 'lyon.acme.example' },
    { transport: 'websocket', tls: true, service: 'acme-lyon' },
  ] as const)(
    'brings a signed command from the public side to the inbox over $transport',
    async ({ transport, tls, service }) => {
      const server = await serve({ tls, service });
      const agent = rig(server, { transport, service });
      await stateOf(agent).toBe('connected');
      expect(await server.post(await agent.sign())).toEqual({ status: 202, body: { command_id: 'c-1' } });
      expect(agent.commands.get('c-1')).toMatchObject({ via: 'frp', doneAt: null });
      expect(await server.post(await agent.sign())).toMatchObject({ status: 409 });
      expect(await server.post('no.command.this')).toMatchObject({ status: 401 });
    },
  );

  test('is not connected with a wrong token, and says so without it', async () => {
    const server = await serve({ tls: false });
    const agent = rig(server, {}, 'wrong-token-7391');
    await expect.poll(() => agent.tunnel.state().message).toContain("doesn't match token");
    expect(agent.states).not.toContain('connected');
    expect(agent.said()).not.toContain('wrong-token-7391');
  });

  test('is not connected to a server whose certificate another authority made', async () => {
    const [server, other] = [await serve({ tls: true }), await serve({ tls: true })];
    const agent = rig({ ...server, caFile: other.caFile }, { transport: 'tls' });
    await expect.poll(agent.reasons).toEqual(['TunnelFailed']);
    expect(agent.states).not.toContain('connected');
  });

  test('is not connected while another client has the name', async () => {
    const server = await serve({ tls: false });
    const first = rig(server);
    await stateOf(first).toBe('connected');
    const second = rig(server);
    await expect.poll(() => second.tunnel.state().message).toContain('already exists');
    expect(second.states).not.toContain('connected');
    await first.stop();
    await stateOf(second).toBe('connected');
  });

  test('is disconnected while the server is down, and connected when it is back', async () => {
    const server = await serve({ tls: false });
    const agent = rig(server);
    await stateOf(agent).toBe('connected');
    await server.kill();
    await stateOf(agent).toBe('disconnected');
    await server.start();
    await stateOf(agent).toBe('connected');
    expect(await delivers(server, agent)).toBe(true);
  });

  test('starts another client when the client is killed, and leaves none when the agent ends', async () => {
    const server = await serve({ tls: false });
    const agent = rig(server);
    await stateOf(agent).toBe('connected');
    const [first] = await agent.clients();
    process.kill(first as number, 'SIGKILL');
    await expect.poll(agent.reasons).toContain('TunnelDisconnected');
    await stateOf(agent).toBe('connected');
    expect(await agent.clients()).not.toContain(first);
    await agent.stop();
    expect(await agent.clients()).toEqual([]);
  });
});
