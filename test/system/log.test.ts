import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLog, type LogOptions } from '../../system/log.ts';
import { platformLogDir } from '../../system/log-directory.ts';

let directory: string;
let shown: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'log-'));
  shown = '';
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const create = (options: Partial<LogOptions> = {}) =>
  createLog({
    level: 'info',
    dir: path.join(directory, 'logs'),
    maxFiles: 3,
    maxBytes: 10_000,
    tty: false,
    stream: { write: (text: string) => (shown += text) },
    colour: false,
    ...options,
  });
const file = () => path.join(directory, 'logs', 'edge-agent.log');
const lines = (): Record<string, unknown>[] =>
  fs
    .readFileSync(file(), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('the log', () => {
  test('writes one JSON object a line, at once', () => {
    const log = create();
    log.info('Revision seen', { revision: 'tenant/acme@sha1:0', bytes: 12 });
    log.debug('not shown at this level');
    expect(lines()).toEqual([
      expect.objectContaining({
        level: 'info',
        msg: 'Revision seen',
        revision: 'tenant/acme@sha1:0',
        bytes: 12,
      }),
    ]);
    expect(String(lines()[0]!.time)).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(shown).toBe('');
    log.close();
  });

  test.skipIf(process.platform === 'win32')('is for its owner only', () => {
    create().close();
    expect(fs.statSync(file()).mode & 0o777).toBe(0o600);
    expect(fs.statSync(path.dirname(file())).mode & 0o777).toBe(0o700);
  });

  test('hides secrets by the name of their member and by their text, in errors and causes too', () => {
    const log = create({ scrub: (text) => text.replaceAll('hunter2', '[redacted]') });
    const cause = new Error('inner hunter2');
    log.warn('asked with hunter2 of https://kim:s3cret@git.example/', {
      token: 'abc',
      request: { headers: { authorization: 'Bearer xyz' } },
      url: new URL('https://git.example/?key=hunter2'),
      list: ['hunter2'],
      error: new Error('outer hunter2', { cause }),
    });
    log.child({ part: 'outbox', secret_key: 'abc' }).info('from a part');
    const text = fs.readFileSync(file(), 'utf8');
    expect(text).not.toMatch(/hunter2|abc|xyz|s3cret/);
    expect(lines()[0]).toMatchObject({ token: '[redacted]', error: { message: 'outer [redacted]' } });
    expect(lines()[1]).toMatchObject({ part: 'outbox', secret_key: '[redacted]' });
    log.close();
  });

  test('keeps a line bounded whatever it is given', () => {
    const log = create({ maxBytes: 10_000_000 });
    const loop: Record<string, unknown> = { bytes: new Uint8Array(5_000), big: 10n };
    loop.self = loop;
    log.info('odd', { loop, long: 'x'.repeat(1_000_000), many: Array.from({ length: 100_000 }, () => 1) });
    expect(fs.statSync(file()).size).toBeLessThan(20_000);
    expect(lines()[0]).toMatchObject({ loop: { bytes: '[5000 bytes]', big: '10' } });
    log.close();
  });

  test('rotates and keeps no more files than it may', () => {
    const log = create({ maxBytes: 2_000 });
    for (let n = 0; n < 200; n += 1) log.info(`line ${n}`);
    expect(fs.readdirSync(path.dirname(file())).toSorted()).toEqual([
      'edge-agent.1.log',
      'edge-agent.2.log',
      'edge-agent.log',
    ]);
    expect(lines().at(-1)).toMatchObject({ msg: 'line 199' });
    log.close();
  });

  test('shows a person lines to read, without what could move the cursor', () => {
    const log = create({ tty: true });
    log.warn('Fetch failed\u001b[2J', { flow: 'invoice-bot', error: new Error('no answer') });
    expect(shown).toMatch(/^\d\d:\d\d:\d\d WARN {2}Fetch failed�\[2J flow=invoice-bot error="no answer"\n$/);
    expect(lines()).toHaveLength(1);
    const coloured = create({ tty: true, colour: true, dir: null });
    coloured.error('red');
    expect(shown).toContain('\u001b[31mERROR');
    log.close();
  });

  test('goes to standard error as JSON when there is neither person nor file', () => {
    create({ dir: null }).info('alone');
    expect(JSON.parse(shown)).toMatchObject({ msg: 'alone' });
  });

  test('says that the folder cannot be written and goes on without it', () => {
    fs.writeFileSync(path.join(directory, 'logs'), 'a file in the way');
    const log = create();
    log.info('still here');
    expect(shown).toMatch(/cannot be written/);
    expect(shown).toMatch(/still here/);
  });

  test('changes its level while it runs', () => {
    const log = create();
    log.setLevel('debug');
    log.debug('now shown');
    expect(lines()).toHaveLength(1);
    log.close();
  });
});

describe("the platform's place for logs", () => {
  const at = (platform: NodeJS.Platform, privileged: boolean, env: Record<string, string> = {}) =>
    platformLogDir({
      platform,
      env,
      home: platform === 'win32' ? 'C:\\Users\\kim' : '/home/kim',
      privileged,
    });

  test('is where each platform keeps them', () => {
    expect(at('linux', true)).toBe('/var/log/edge-agent');
    expect(at('linux', false)).toBe('/home/kim/.local/state/edge-agent/log');
    expect(at('linux', false, { XDG_STATE_HOME: '/srv/state' })).toBe('/srv/state/edge-agent/log');
    expect(at('linux', false, { XDG_STATE_HOME: 'relative' })).toBe('/home/kim/.local/state/edge-agent/log');
    expect(at('darwin', false)).toBe('/home/kim/Library/Logs/EdgeAgent');
    expect(at('win32', true, { PROGRAMDATA: 'D:\\Data' })).toBe('D:\\Data\\EdgeAgent\\logs');
    expect(at('win32', false)).toBe('C:\\Users\\kim\\AppData\\Local\\EdgeAgent\\logs');
  });
});
