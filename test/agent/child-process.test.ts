import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ChildRights, createChildSpawner } from '../../agent/child-process.ts';
import { type ControlServer, serveControl } from '../../agent/control-server.ts';
import type { AgentOperations } from '../../agent/operations.ts';
import type { ProbeOrder } from '../support/child-probe.ts';

const PROBE = fileURLToPath(new URL('../support/child-probe.ts', import.meta.url));

describe('a child of ours', () => {
  const folder = mkdtempSync(join(tmpdir(), 'child-rights-'));
  const at = (name: string) => join(folder, name);
  const tcp = createServer((socket) => socket.destroy());
  let control: ControlServer;

  beforeAll(async () => {
    for (const name of ['credentials', 'own', 'readable', 'elsewhere']) mkdirSync(at(name));
    writeFileSync(at('credentials/device.jwk'), 'PRIVATE');
    writeFileSync(at('elsewhere/there'), '');
    tcp.listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    control = await serveControl(at('agent.sock'), {} as AgentOperations, { verb: 'run', tenant: 'acme' });
  });
  afterAll(async () => {
    tcp.close();
    await control.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The real flags and the real start, with another main module. */
  async function probe(
    verb: 'internal-fetch' | 'internal-unpack',
    net: boolean,
  ): Promise<Record<string, string>> {
    const rights: ChildRights = { read: [at('readable')], write: [at('own')], net };
    const child = createChildSpawner({ node: process.execPath, main: PROBE })(verb, rights);
    let said = '';
    let complaint = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      complaint += chunk;
    });
    const order: ProbeOrder = {
      secret: at('credentials/device.jwk'),
      own: at('own'),
      readable: at('readable'),
      elsewhere: at('elsewhere'),
      socket: at('agent.sock'),
      port: (tcp.address() as AddressInfo).port,
    };
    child.stdin?.end(JSON.stringify(order));
    await once(child, 'close');
    if (said === '') throw new Error(complaint);
    return JSON.parse(said) as Record<string, string>;
  }

  /** What Node says, or the answer of the control socket. */
  const REFUSED = /^(?:ERR_ACCESS_DENIED|ERR_DLOPEN_DISABLED|ERR_UNKNOWN_BUILTIN_MODULE|answered 401)$/;

  it.each([
    ['the unpacker', 'internal-unpack', false, []],
    ['the fetcher', 'internal-fetch', true, ['reach the network', 'send a datagram']],
  ] as const)('%s is refused everything but what it is there for', async (_, verb, net, granted) => {
    const found = await probe(verb, net);
    // Of root alone: others cannot become another account in the first place.
    const { 'become another account': became, ...others } = found;
    const done = Object.keys(others).filter((name) => !REFUSED.test(others[name] as string));
    expect(Object.keys(others).length).toBeGreaterThan(28);
    expect(done.map((name) => `${name}: ${others[name]}`)).toEqual(granted.map((name) => `${name}: done`));
    expect(became).toMatch(/EPERM|ERR_ACCESS_DENIED/);
    expect(readdirSync(at('elsewhere'))).toEqual(['there']);
    expect(readdirSync(at('own')).filter((name) => name !== 'moved')).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux' || !existsSync('/usr/bin/setpriv'))(
    'cannot be given more rights by any program, and as root has given up what root can do',
    async () => {
      const child = createChildSpawner({ node: process.execPath, main: PROBE })('internal-unpack', {
        read: [at('readable')],
        write: [at('own')],
        net: false,
      });
      // It waits for its order.
      await expect
        .poll(() => readFileSync(`/proc/${child.pid}/comm`, 'utf8'))
        .toMatch(/^(?:node|MainThread)/);
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      child.kill('SIGKILL');
      await once(child, 'close');
      expect(status).toMatch(/^NoNewPrivs:\s*1$/m);
      const capabilities = Number.parseInt(/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? 'f', 16);
      // dac_override, dac_read_search, fowner: bits 1, 2 and 3.
      expect(capabilities & ~0b1110).toBe(0);
    },
  );
});
