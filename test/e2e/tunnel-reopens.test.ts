import { afterEach, expect, it } from 'vitest';
import { bundleOf } from '../support/bundles.ts';
import { type ConsoleWorld, createConsoleWorld } from '../support/console-world.ts';
import { type Daemon, until } from '../support/daemon.ts';
import { startTunnelConsole, type TunnelConsole } from '../support/tunnel-console.ts';

let world: ConsoleWorld;
let tunnel: TunnelConsole;
let daemon: Daemon | null = null;
afterEach(async () => {
  await daemon?.stop('SIGKILL');
  await tunnel[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

it('an agent looks at its branch when its tunnel opens again, because a nudge may have been lost', async () => {
  world = await createConsoleWorld();
  // its tunnel leads elsewhere: the nudges of the console that has the branch never arrive
  tunnel = await startTunnelConsole();
  const bundle = bundleOf({ 'main.py': 'print(1)\n' });
  const edge_url = await world.upload('hello.tar.gz', bundle);
  const flow = { id: 'hello', edge_url, sha256: bundle.sha256, runtime: 'python' };
  await world.release([{ ...flow, version: 'v1' }]);
  const machine = await world.enrol('one');
  await machine.adjust([
    [['source', 'interval'], '1h'],
    [['tunnel'], { kind: 'websocket', url: tunnel.url.href.replace('http', 'ws') }],
  ]);
  daemon = machine.start();
  const active = async (version: string) => {
    const { flows } = await machine.json<{ flows: { active_version: string }[] }>('status');
    return flows[0]?.active_version === version;
  };
  await until('v1', () => active('v1'));
  await until('an open tunnel', () => tunnel.connections.length === 1);
  await world.release([{ ...flow, version: 'v2' }]);
  tunnel.cut();
  expect(await until('v2', () => active('v2'))).toBe(true);
  expect(tunnel.connections.length).toBeGreaterThan(1);
}, 180_000);
