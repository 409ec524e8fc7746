import { describe, expect, test } from 'vitest';
import { AgentConfig } from '../../schemas/agent-config.ts';
import { EnrolAnswer } from '../../schemas/enrolment.ts';

const BASE = { version: 1, tenant: 'acme', source: { url: 'https://git.example/acme.git' } };

function problems(tunnel: unknown, more: object = {}): string[] {
  const read = AgentConfig.safeParse({ ...BASE, ...more, tunnel });
  return read.success ? [] : read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('tunnel.url', () => {
  test.each([
    'wss://console.example/edge/tunnel',
    'https://console.example/edge/tunnel?site=lyon',
    'ws://127.0.0.1:8080/edge/tunnel',
    'http://localhost:8080/',
    'ws://[::1]:9/',
  ])('takes %s', (url) => {
    expect(problems({ kind: 'websocket', url })).toEqual([]);
  });

  test.each([
    [
      'ws://console.example/edge/tunnel',
      'expected wss (plain ws only to loopback), found ws://console.example',
    ],
    ['http://10.0.0.1/edge/tunnel', 'expected https (plain http only to loopback), found http://10.0.0.1'],
    ['ftp://console.example/', 'expected a URL with wss:// or https:// or ws:// or http://, found ftp://'],
    [
      'wss://user:secret@console.example/',
      'expected no user name or password in the URL; put them into credentials_dir',
    ],
    ['wss://console.example/#top', 'expected no fragment (#…) in the URL'],
    ['console.example', 'expected an absolute URL such as https://git.example/acme.git'],
  ])('refuses %s', (url, message) => {
    expect(problems({ kind: 'websocket', url })).toEqual([`tunnel.url: ${message}`]);
  });

  test('may be left out where saas_url is there, and nowhere else', () => {
    expect(problems({ kind: 'websocket' }, { saas_url: 'https://console.example' })).toEqual([]);
    expect(problems({ kind: 'websocket' })).toEqual([
      'tunnel: expected saas_url (the tunnel is at <saas_url>/edge/tunnel) or tunnel.url, found neither',
    ]);
    expect(problems({ kind: 'none' })).toEqual([]);
  });

  test('of a console that enrols an agent is held to the same', () => {
    const { tunnel_url } = EnrolAnswer.shape;
    expect(tunnel_url.safeParse('wss://console.example/edge/tunnel').success).toBe(true);
    expect(tunnel_url.safeParse(null).success).toBe(true);
    expect(tunnel_url.safeParse('ws://console.example/edge/tunnel').success).toBe(false);
  });
});
