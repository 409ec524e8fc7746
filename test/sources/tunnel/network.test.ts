import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { makeCertificate } from '../../support/certificate.ts';
import { startConnectProxy } from '../../support/connect-proxy.ts';
import { type AgentSide, type AgentSideOptions, startAgentSide } from '../../support/tunnel-agent.ts';
import { startTunnelConsole } from '../../support/tunnel-console.ts';

const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 60_000, interval: 3 });

function start(options: AgentSideOptions): AgentSide & AsyncDisposable {
  const agent = startAgentSide(options);
  return { ...agent, [Symbol.asyncDispose]: () => agent.stop() };
}
const state = (agent: AgentSide) => agent.tunnel.state().state;

describe('TLS', () => {
  test('is believed only with the certificate of network.ca_file', async () => {
    using certificate = makeCertificate();
    await using server = await startTunnelConsole(certificate);
    await using doubting = start({ url: server.url });
    await until(() => doubting.events.length > 0);
    expect(doubting.events[0]).toMatchObject({
      reason: 'TunnelFailed',
      because: expect.stringContaining('network.ca_file'),
    });
    await using believing = start({
      url: server.url,
      network: { caFile: certificate.caFile, environment: {} },
    });
    await until(() => state(believing) === 'connected');
    expect(server.connections).toHaveLength(1);
  });

  test('is checked even where the environment switches checks off', async () => {
    using certificate = makeCertificate();
    await using server = await startTunnelConsole(certificate);
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    try {
      await using agent = start({ url: server.url });
      await until(() => agent.events.length > 0);
      expect(agent.events[0]?.reason).toBe('TunnelFailed');
      expect(server.asked()).toBe(0);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('with a wrong ca_file fails with its name, and does not end the tunnel', async () => {
    await using server = await startTunnelConsole();
    const url = new URL(server.url.href.replace('http:', 'https:'));
    await using agent = start({ url, network: { caFile: '/nowhere/ca.pem', environment: {} } });
    await until(() => agent.events.length > 0);
    expect(agent.events[0]?.because).toContain('/nowhere/ca.pem');
    expect(state(agent)).toBe('disconnected');
  });
});

describe('a proxy', () => {
  test('of the environment carries the tunnel by CONNECT, the certificate is still checked, and NO_PROXY spares it', async () => {
    using certificate = makeCertificate('console.test');
    await using server = await startTunnelConsole(certificate);
    await using proxy = await startConnectProxy();
    const url = new URL(`https://console.test:${server.port}/edge/tunnel`);
    const environment = { HTTPS_PROXY: proxy.url };
    await using through = start({ url, network: { caFile: certificate.caFile, environment } });
    await until(() => state(through) === 'connected');
    expect(proxy.asked).toEqual([`CONNECT console.test:${server.port}`]);
    const other = new URL(`https://other.test:${server.port}/edge/tunnel`);
    await using wrongName = start({ url: other, network: { caFile: certificate.caFile, environment } });
    await until(() => wrongName.events.length > 0);
    expect(wrongName.events[0]?.because).toContain('certificate');
    await using spared = start({
      url,
      network: { caFile: certificate.caFile, environment: { ...environment, NO_PROXY: 'console.test' } },
    });
    await until(() => spared.events.length > 0);
    expect(spared.events[0]).toMatchObject({ reason: 'TunnelFailed' });
    expect(server.connections).toHaveLength(1);
  });

  test('of agent.yaml carries it too, loopback included', async () => {
    using certificate = makeCertificate();
    await using server = await startTunnelConsole(certificate);
    await using proxy = await startConnectProxy();
    const network = { caFile: certificate.caFile, proxy: proxy.url, environment: {} };
    await using agent = start({ url: server.url, network });
    await until(() => state(agent) === 'connected');
    expect(proxy.asked).toEqual([`CONNECT localhost:${server.port}`]);
  });

  test('passes on no plain upgrade, so that one goes direct', async () => {
    await using server = await startTunnelConsole();
    await using proxy = await startConnectProxy();
    await using agent = start({ url: server.url, network: { proxy: proxy.url, environment: {} } });
    await until(() => state(agent) === 'connected');
    expect(proxy.asked).toEqual([]);
  });

  test('that is down is named, and its password is not', async () => {
    using certificate = makeCertificate();
    await using server = await startTunnelConsole(certificate);
    const gone = await startConnectProxy();
    await gone[Symbol.asyncDispose]();
    const proxy = gone.url.replace('http://', 'http://user:hunter2@');
    await using agent = start({
      url: server.url,
      network: { caFile: certificate.caFile, proxy, environment: {} },
    });
    await until(() => agent.events.length > 0);
    expect(agent.events[0]?.because).toContain('through the proxy');
    expect(JSON.stringify([agent.events, agent.lines])).not.toContain('hunter2');
  });
});

test('an agent without a tunnel does not load the WebSocket library', () => {
  const probe = `
    import { registerHooks } from 'node:module';
    const asked = [];
    registerHooks({ resolve: (name, context, next) => (asked.push(name), next(name, context)) });
    await import('./sources/tunnel/websocket-tunnel.ts');
    const before = asked.includes('ws');
    const { upgrade } = await import('./sources/tunnel/upgrade.ts');
    const route = () => ({ agent: undefined, explain: (error) => error, answered: () => null });
    const clock = { sleep: (ms, signal) => new Promise((resolve, reject) => signal.addEventListener('abort', reject)) };
    const url = new URL('http://127.0.0.1:1/edge/tunnel');
    const { kind } = await upgrade({ authorize: async () => 'Bearer x', route, clock }, { url, userAgent: 'x' }, new AbortController().signal);
    console.log(JSON.stringify([before, asked.includes('ws'), kind]));`;
  const root = join(import.meta.dirname, '../../..');
  const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', probe], { cwd: root });
  expect(JSON.parse(printed.toString('utf8'))).toEqual([false, true, 'failed']);
});
