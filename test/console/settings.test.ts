import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createClientAddresses } from '../../console/client-address.ts';
import { main } from '../../console/main.ts';
import { limitsOf, overruled } from '../../console/settings/effective.ts';
import { loadSettings } from '../../console/settings/settings-file.ts';
import { startTexts } from '../../console/start-texts.ts';
import { startConsole } from './running-console.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'console-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (text: string, name = 'console.yaml') => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};

describe('console.yaml', () => {
  it('is found by --config, or in the data folder, and its relative paths start at it', async () => {
    const config = write('version: 1\ndata: ./here\nbackup: { dir: ../backups }\n');
    const named = await loadSettings({ config });
    expect([named.file, named.data, named.settings.backup]).toEqual([
      config,
      join(folder, 'here'),
      { dir: join(folder, '../backups'), schedule: '0 3 * * *', keep: 7 },
    ]);
    // an option wins
    expect((await loadSettings({ config, data: '/elsewhere' })).data).toBe('/elsewhere');
    mkdirSync(join(folder, 'data'));
    const inside = write('version: 1\nlisten: { port: 9000 }\n', 'data/console.yaml');
    const found = await loadSettings({ data: join(folder, 'data') });
    expect([found.file, found.settings.listen.port]).toEqual([inside, 9_000]);
  });

  it('is refused with every fault at its line and column, and the key that was meant', async () => {
    const config = write(
      'version: 1\nlisen: { port: 1 }\nkeep:\n  runs: 0\nsessions: { idle: fast }\ntrusted_proxies: [10.0.0.0/8, me]\n',
    );
    await expect(loadSettings({ config })).rejects.toThrow(
      [
        `${config}:2:1: unknown key "lisen" — expected one of version, data, listen, public_url, tls, trusted_proxies, log, sessions, backup, uploads, artifacts, keep; did you mean "listen"?`,
        `${config}:4:9: keep.runs: found 0, expected at least 1`,
        `${config}:5:19: sessions.idle: found "fast", expected a duration such as 500ms, 30s, 5m, 24h or 30d`,
        `${config}:6:31: trusted_proxies[1]: found "me", expected an address such as 10.1.2.3, a network such as 10.0.0.0/8, or loopback`,
      ].join('\n'),
    );
    const err = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
    try {
      expect(await main(['tenant', 'list', '--config', config])).toBe(2);
      expect(await main(['serve', '--config', join(folder, 'none.yaml')])).toBe(2);
    } finally {
      err.mockRestore();
    }
  });

  it('gives way to the options of the command, and sets the bounds', async () => {
    const config = write(
      'version: 1\nlisten: { host: 0.0.0.0, port: 80 }\nlog: { level: info }\nkeep: { audit: 7 }\n',
    );
    const { settings } = await loadSettings({ config });
    const { listen, log } = overruled(settings, { port: 81 });
    expect({ listen, log }).toEqual({ listen: { host: '0.0.0.0', port: 81 }, log: { level: 'info' } });
    expect(limitsOf(settings)).toMatchObject({
      keepAudit: 7,
      sessionIdleMs: 43_200_000,
      uploadBytes: 2 ** 31,
    });
    expect(() => overruled(settings, { tlsKey: 'a' })).toThrow('--tls-key and --tls-cert together');
  });

  it('is what a console in its folder starts with, and what its verbs find the data by', async () => {
    write('version: 1\ndata: ./kept\nlisten: { port: 0 }\n');
    const program = join(import.meta.dirname, '../../console/main.ts');
    const start = (...argv: string[]) => spawn(process.execPath, [program, ...argv], { cwd: folder });
    const child = start();
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    try {
      await vi.waitFor(() => expect(stdout).toContain('Ctrl-C'), { timeout: 90_000 });
    } finally {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    expect(stdout).toContain(`  settings  ${join(folder, 'console.yaml')}`);
    expect(stdout).toContain(`  data      ${join(folder, 'kept')}`);
    expect(stdout).toMatch(/Open http:\/\/127\.0\.0\.1:\d+\/setup#\S+/);
    expect(stdout).toContain('tenant add <slug> --root <file>\n');
    const verb = start('tenant', 'list', '--output', 'json');
    expect((await once(verb, 'exit'))[0]).toBe(0);
  }, 60_000);
});

describe('what serve says', () => {
  const about = { url: 'http://127.0.0.1:1', data: '/d', file: null, apiKey: null, setupUrl: null };
  it('has colours on a terminal that wants them, and is short once everything is set up', () => {
    const plain = startTexts(about, { hint: '', isTerminal: false, env: {} });
    expect(plain).toBe(
      'The console is listening.\n\n  address   http://127.0.0.1:1\n  data      /d\n\nCtrl-C ends it.\n',
    );
    expect(startTexts(about, { hint: '', isTerminal: true, env: { NO_COLOR: '1' } })).toBe(plain);
    expect(startTexts(about, { hint: '', isTerminal: true, env: {} })).toContain(
      '\u001B[1mhttp://127.0.0.1:1\u001B[0m',
    );
  });
});

describe('callers behind a proxy', () => {
  const from = (remoteAddress: string, said?: string) =>
    ({
      socket: { remoteAddress },
      headers: said === undefined ? {} : { 'x-forwarded-for': said },
    }) as unknown as IncomingMessage;

  it.each([
    [[], '10.0.0.1', '1.2.3.4', '10.0.0.1'],
    [['10.0.0.0/8'], '10.0.0.1', '1.2.3.4', '1.2.3.4'],
    [['10.0.0.0/8'], '::ffff:10.0.0.1', '1.2.3.4', '1.2.3.4'],
    // what the caller itself wrote comes first, and is not believed
    [['10.0.0.0/8'], '10.0.0.1', '6.6.6.6, 1.2.3.4, 10.0.0.2', '1.2.3.4'],
    [['loopback'], '::1', '1.2.3.4', '1.2.3.4'],
    [['10.0.0.0/8'], '8.8.8.8', '1.2.3.4', '8.8.8.8'],
  ])('with %j trusted, %s that says %s is %s', (trusted, address, said, wanted) => {
    expect(createClientAddresses(trusted).of(from(address, said))).toBe(wanted);
  });

  it('are slowed one by one, and not all at once', async () => {
    await using running = await startConsole({
      trustedProxies: ['loopback'],
      limits: { strangerBurst: 2, strangerPerSecond: 0.001 },
    });
    const guess = async (address: string) =>
      (
        await fetch(`${running.url}/api/tenants`, {
          headers: { 'x-api-key': 'eka_wrong', 'x-forwarded-for': address },
        })
      ).status;
    const answers = [];
    for (const address of ['1.1.1.1', '1.1.1.1', '1.1.1.1', '2.2.2.2']) answers.push(await guess(address));
    expect(answers).toEqual([401, 401, 429, 401]);
  });
});
