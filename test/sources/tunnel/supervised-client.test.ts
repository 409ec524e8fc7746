import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { rathole } from '../../../sources/tunnel/rathole.ts';
import { superviseClient } from '../../../sources/tunnel/supervised-client.ts';
import { createManualClock } from '../../../system/clock.ts';
import { recordingLog } from '../../support/recording-log.ts';

const READY = 'echo "2026 INFO rathole::client: Control channel established"';
const clock = createManualClock(new Date('2026-11-20T15:00:00Z'));

let folder: string;
let log: ReturnType<typeof recordingLog>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'client-'));
  log = recordingLog();
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A client that does what the shell script says. */
function supervise(
  script: string,
  options: { secrets?: string[]; environment?: Record<string, string> } = {},
) {
  const file = join(folder, 'rathole');
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  const stopping = new AbortController();
  const heard = { ready: 0 };
  const onReady = () => {
    heard.ready += 1;
  };
  const { secrets = [], environment = { PATH: process.env['PATH'] ?? '' } } = options;
  const client = {
    program: rathole,
    file,
    configuration: join(folder, 'client.toml'),
    folder,
    environment,
    secrets,
  };
  const ended = superviseClient({ clock, log, onReady }, client, stopping.signal);
  return { ended, heard, stop: () => stopping.abort() };
}

const pidOf = () => Number(readFileSync(join(folder, 'pid'), 'utf8'));
const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('a client that ends by itself has its last words for a cause', async () => {
  const { ended, heard } = supervise('echo "Error: no such configuration" >&2; exit 3');
  expect(await ended).toEqual({
    ready: false,
    cause: 'rathole ended by itself (exit code 3): Error: no such configuration',
  });
  expect(heard.ready).toBe(0);
});

test('a panic is told by its message', async () => {
  const panic =
    'printf "thread x panicked at src/a.rs:1:2:\\nfailed to connect: reset\\nnote: run with RUST_BACKTRACE\\n" >&2';
  expect(await supervise(`${panic}; kill -ABRT $$`).ended).toEqual({
    ready: false,
    cause: 'rathole ended by itself (SIGABRT): failed to connect: reset',
  });
});

test('a client whose log says that it failed is ended, and its cause has neither its retry nor control characters', async () => {
  const line =
    'ERROR Failed to run the control channel: \\033[1mrefused\\tby b\\342\\200\\256 peer. Retry in 531.03ms...';
  const { ended } = supervise(`${READY}; printf '${line}\\n'; echo $$ > ${folder}/pid; exec sleep 600`);
  expect(await ended).toEqual({ ready: true, cause: 'refused by b  peer' });
  expect(alive(pidOf())).toBe(false);
});

test('a client that does not connect in time is ended', async () => {
  const { ended } = supervise(`echo $$ > ${folder}/pid; exec sleep 600`);
  await expect.poll(() => clock.sleepers()).toBe(1);
  await clock.advance(30_000);
  expect(await ended).toEqual({ ready: false, cause: 'it did not connect within 30 s' });
});

test('a client that is connected is left alone, however long', async () => {
  const { ended, heard, stop } = supervise(`${READY}; ${READY}; exec sleep 600`);
  await expect.poll(() => heard.ready).toBe(1);
  await clock.advance(3_600_000);
  stop();
  expect(await ended).toEqual({ ready: true, cause: 'the agent stops' });
  expect(heard.ready).toBe(1);
});

test('a client that does not heed the interrupt is killed with its children', async () => {
  const { ended, heard, stop } = supervise(
    `trap '' INT; sh -c 'trap "" INT; echo $$ > ${folder}/pid; sleep 600' & ${READY}; wait`,
  );
  await expect.poll(() => heard.ready).toBe(1);
  await expect.poll(pidOf).toBeGreaterThan(0);
  stop();
  await ended;
  await expect.poll(() => alive(pidOf())).toBe(false);
});

test('a client that is interrupted may take its leave', async () => {
  const { ended, heard, stop } = supervise(
    `trap 'echo bye > ${folder}/bye; exit 0' INT; ${READY}; while :; do sleep 0.05; done`,
  );
  await expect.poll(() => heard.ready).toBe(1);
  stop();
  await ended;
  expect(readFileSync(join(folder, 'bye'), 'utf8')).toBe('bye\n');
});

test('of the environment a client gets next to nothing', async () => {
  const environment = {
    PATH: process.env['PATH'] ?? '',
    EDGE_SECRET: 'x',
    HTTPS_PROXY: 'http://u:p@proxy',
    TZ: 'UTC',
  };
  await supervise(`env > ${folder}/environment`, { environment }).ended;
  const names = readFileSync(join(folder, 'environment'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('=')[0] as string)
    .filter((name) => !['PWD', 'OLDPWD', '_', 'SHLVL'].includes(name));
  expect(names.toSorted()).toEqual(['EDGE_AGENT_TUNNEL', 'PATH', 'RUST_BACKTRACE', 'RUST_LOG', 'TZ']);
});

test('a secret in its output is shown nowhere', async () => {
  const script =
    'echo "INFO token=s3cret-token"; echo "Error: bad s3cret-token in {s3cret-token}" >&2; exit 1';
  const { cause } = await supervise(script, { secrets: ['s3cret-token'] }).ended;
  expect(cause).toContain('bad [redacted] in');
  expect(JSON.stringify(log.lines)).toContain('[redacted]');
  expect(JSON.stringify(log.lines)).not.toContain('s3cret-token');
});

test('an endless line is cut, and the next is read', async () => {
  const { ended, heard, stop } = supervise(
    `head -c 3000000 /dev/zero | tr '\\0' x; echo; ${READY}; exec sleep 600`,
  );
  await expect.poll(() => heard.ready).toBe(1);
  stop();
  await ended;
  expect(Math.max(...log.lines.map(({ fields }) => String(fields['line']).length))).toBe(2_000);
});

test('a program that cannot be started is told so', async () => {
  const file = join(folder, 'rathole');
  writeFileSync(file, 'no program');
  chmodSync(file, 0o755);
  const client = {
    program: rathole,
    file: join(folder, 'gone'),
    configuration: 'x',
    folder,
    environment: {},
    secrets: [],
  };
  const never = new AbortController().signal;
  const { cause } = await superviseClient({ clock, log, onReady: () => undefined }, client, never);
  expect(cause).toContain('it could not be started');
});

test('the client ends with an agent that exits at once', () => {
  const script = `
    import { startClient } from './sources/tunnel/client-process.ts';
    startClient({ file: '/bin/sh', args: ['-c', 'echo $$ > ${folder}/pid; exec sleep 600'], environment: {}, folder: '/', onLine() {} });
    const { existsSync, readFileSync } = await import('node:fs');
    while (!existsSync('${folder}/pid') || readFileSync('${folder}/pid', 'utf8') === '') await new Promise((go) => setTimeout(go, 10));
    process.exit(7);`;
  const args = ['--input-type=module-typescript', '--eval', script];
  expect(spawnSync(process.execPath, args, { encoding: 'utf8' })).toMatchObject({ status: 7, stderr: '' });
  return expect.poll(() => alive(pidOf())).toBe(false);
});
