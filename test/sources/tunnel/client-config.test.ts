import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TunnelClient } from '../../../schemas/tunnel-client.ts';
import { frpConfig } from '../../../sources/tunnel/frp-config.ts';
import { ratholeConfig } from '../../../sources/tunnel/rathole-config.ts';
import { tomlString } from '../../../sources/tunnel/toml-text.ts';
import type { ClientInputs } from '../../../sources/tunnel/tunnel-program.ts';

const inputs = (tunnel: Partial<TunnelClient>, changes = {}): ClientInputs => ({
  tunnel: {
    kind: 'rathole',
    server: 'tunnel.example:2333',
    service: 'acme-lyon',
    transport: 'tls',
    token_file: '/token',
    ...tunnel,
  },
  token: 'to"ken',
  localPort: 4711,
  caFile: null,
  proxy: null,
  ...changes,
});

describe('text in TOML', () => {
  test('is the same text to whoever reads it, and holds no line break and no template', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const written = tomlString(text);
        // A basic string of TOML with these escapes alone is a JSON string too.
        expect(JSON.parse(written)).toBe(text.toWellFormed());
        expect(written).not.toMatch(/[\p{Cc}{}]/u);
        expect(written.slice(1, -1)).not.toMatch(/"/);
      }),
    );
  });

  test('of a lone surrogate is the replacement character', () => {
    expect(tomlString('a\ud800b')).toBe('"a\ufffdb"');
  });
});

describe("rathole's configuration", () => {
  test('over TLS names the host whose certificate is expected', () => {
    expect(ratholeConfig(inputs({ server: '[2001:db8::1]:2333' }, { caFile: '/ca "1".pem' }))).toBe(`[client]
remote_addr = "[2001:db8::1]:2333"
heartbeat_timeout = 45

[client.transport]
type = "tls"

[client.transport.tls]
hostname = "2001:db8::1"
trusted_root = "/ca \\u00221\\u0022.pem"

[client.services."acme-lyon"]
token = "to\\u0022ken"
local_addr = "127.0.0.1:4711"
`);
  });

  test('over a WebSocket is encrypted, and goes through the proxy', () => {
    const text = ratholeConfig(inputs({ transport: 'websocket' }, { proxy: 'http://proxy.example:3128' }));
    expect(text).toContain('[client.transport.websocket]\ntls = true\n');
    expect(text).toContain('[client.transport.tls]\nhostname = "tunnel.example"\n');
    expect(text).toContain('[client.transport.tcp]\nproxy = "http://proxy.example:3128"\n');
  });

  test('over Noise has the key of the server and no certificates', () => {
    const key = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
    const text = ratholeConfig(inputs({ transport: 'noise', remote_public_key: key }));
    expect(text).toContain(`[client.transport.noise]\nremote_public_key = "${key}"\n`);
    expect(text).not.toContain('tls');
  });
});

describe("frpc's configuration", () => {
  test('exposes one path under a subdomain', () => {
    expect(
      frpConfig(inputs({ kind: 'frp', server: 'tunnel.example:7000' }, { caFile: '/ca.pem' })),
    ).toBe(`serverAddr = "tunnel.example"
serverPort = 7000
loginFailExit = true
auth.method = "token"
auth.token = "to\\u0022ken"
log.to = "console"
log.level = "info"
log.disablePrintColor = true
transport.protocol = "tcp"
transport.heartbeatInterval = 15
transport.heartbeatTimeout = 45
transport.tls.enable = true
transport.tls.serverName = "tunnel.example"
transport.tls.trustedCaFile = "/ca.pem"

[[proxies]]
name = "acme-lyon"
type = "http"
localIP = "127.0.0.1"
localPort = 4711
subdomain = "acme-lyon"
locations = ["/commands"]
`);
  });

  test('takes a service with dots for a whole host name', () => {
    const text = frpConfig(inputs({ kind: 'frp', service: 'lyon.acme.example', transport: 'websocket' }));
    expect(text).toContain('customDomains = ["lyon.acme.example"]\n');
    expect(text).not.toContain('subdomain');
    expect(text).toContain('transport.protocol = "websocket"\n');
    expect(text).toContain('transport.tls.enable = true\n');
  });
});
