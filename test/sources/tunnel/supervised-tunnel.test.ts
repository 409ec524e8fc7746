import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  createSupervisedTunnel,
  type SupervisedTunnelDeps,
} from '../../../sources/tunnel/supervised-tunnel.ts';
import { createSystemChance, createSystemClock } from '../../../system/clock.ts';
import { recordingLog } from '../../support/recording-log.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'supervised-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a failure that repeats is told once in the log, as a warning', async () => {
  const log = recordingLog();
  const stopping = new AbortController();
  let retries = 0;
  const clock = {
    ...createSystemClock(),
    sleep() {
      retries += 1;
      if (retries === 4) stopping.abort();
      return Promise.resolve();
    },
  };
  const deps = {
    clock,
    log,
    chance: createSystemChance(),
    events: { emit() {} },
    inbox: {},
    stateChanged() {},
    marked: () => Promise.resolve([]),
  } as unknown as SupervisedTunnelDeps;
  const tunnel = {
    kind: 'rathole',
    server: '127.0.0.1:1',
    service: 'a',
    token_file: join(folder, 'token'),
    transport: 'tcp',
    binary: join(folder, 'rathole'),
  } as const;
  await createSupervisedTunnel(deps, { tunnel, folder: join(folder, 'tunnel'), proxy: null }).run(
    stopping.signal,
  );
  const ended = log.lines.filter(({ message }) => message === 'The tunnel client ended');
  expect(ended.map(({ level }) => level)).toEqual(['warn', 'debug', 'debug', 'debug']);
});
