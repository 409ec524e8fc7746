import { describe, expect, test } from 'vitest';
import { Tunnel } from '../../schemas/agent-config.ts';
import { splitServer } from '../../schemas/tunnel-client.ts';

const KEY = 'q2ZkYhqGyS0EHwYRW3xW3xkVJ3bZJ4mUYk9n0S2s1mE=';
const base = { kind: 'rathole', server: 'tunnel.example:2333', service: 'acme-lyon', token_file: './token' };
const faultsOf = (changes: Record<string, unknown>) => {
  const parsed = Tunnel.safeParse({ ...base, ...changes });
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
};

describe('tunnel of kind rathole or frp', () => {
  test('is over TLS when nothing else is said', () => {
    expect(Tunnel.parse(base)).toEqual({ ...base, transport: 'tls' });
  });

  test.each([
    { transport: 'tls', ca_file: './ca.pem', binary: '/opt/rathole' },
    { transport: 'websocket' },
    { transport: 'noise', remote_public_key: KEY },
    { transport: 'tcp', server: '127.0.0.1:2333' },
    { transport: 'tcp', server: '[::1]:2333' },
    { kind: 'frp', ca_file: './ca.pem' },
    { kind: 'frp', transport: 'websocket', ca_file: './ca.pem', service: 'lyon.acme.example' },
    { kind: 'frp', transport: 'tcp', server: 'localhost:7000' },
  ])('may be %j', (changes) => {
    expect(faultsOf(changes)).toEqual([]);
  });

  test.each([
    [
      { transport: 'tcp' },
      'transport: expected an encrypted transport (plain tcp only to loopback), found tcp to tunnel.example',
    ],
    [
      { transport: 'noise' },
      "remote_public_key: expected the server's public key, as transport noise needs it, found none",
    ],
    [
      { remote_public_key: KEY },
      'remote_public_key: expected transport noise with remote_public_key, found tls',
    ],
    [{ transport: 'noise', remote_public_key: 'AAAA' }, 'remote_public_key: expected an X25519 public key'],
    [
      { transport: 'noise', remote_public_key: KEY, ca_file: 'a' },
      'ca_file: expected transport tls or websocket with ca_file, found noise',
    ],
    [
      { kind: 'frp' },
      "ca_file: expected the PEM file of the server's CA, as transport tls needs it (without one frpc believes",
    ],
    [
      { kind: 'frp', transport: 'noise', remote_public_key: KEY },
      'transport: expected tls, websocket or tcp for frp',
    ],
    [
      { kind: 'frp', ca_file: 'a', service: 'Acme Lyon' },
      'service: expected a subdomain (acme-lyon) or a whole host name',
    ],
    [{ service: 'a\nb' }, 'service: expected the name of the service at the server'],
    [{ server: 'tunnel.example' }, 'server: expected a host and a port such as tunnel.example:2333'],
    [
      { kind: 'frp', ca_file: 'a', server: 'tunnel.example' },
      'server: expected a host and a port such as tunnel.example:7000',
    ],
    [{ server: 'https://tunnel.example:2333' }, 'server: expected a host and a port'],
    [{ server: 'tunnel.example:70000' }, 'server: expected a host and a port'],
    [{ token: 'abc' }, ': Unrecognized key: "token"'],
  ])('may not be %j', (changes, fault) => {
    const faults = faultsOf(changes);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(fault);
  });

  test('has a server whose halves can be told apart', () => {
    expect(splitServer('tunnel.example:2333')).toEqual({ host: 'tunnel.example', port: 2333 });
    expect(splitServer('[2001:db8::1]:7000')).toEqual({ host: '2001:db8::1', port: 7000 });
  });
});
