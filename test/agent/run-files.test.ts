import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRunFiles } from '../../agent/run-files.ts';

describe.skipIf(process.platform === 'win32')('what a run printed, read back', () => {
  let folder: string;
  let log: string;
  const files = () => createRunFiles(join(folder, 'runs'), () => 1_024);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'run-files-'));
    mkdirSync(join(folder, 'runs', 'r1', '1'), { recursive: true });
    log = join(folder, 'runs', 'r1', '1', 'stdout.log');
    writeFileSync(join(folder, 'device.jwk'), 'PRIVATE');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('is what is in the file', async () => {
    writeFileSync(log, 'ready\n');
    expect(Buffer.from((await files().output('r1', 1)).stdout).toString()).toBe('ready\n');
    expect(Buffer.from(await files().chunk('r1', 1, 'stdout', 2)).toString()).toBe('ady\n');
  });

  // A flow of the agent's own account may change the folder of its run, and the agent sees what a sandbox hides from the flow.
  it('is nothing when the flow has put a link to the credentials in the place of its log', async () => {
    symlinkSync(join(folder, 'device.jwk'), log);
    expect(await files().chunk('r1', 1, 'stdout', 0)).toHaveLength(0);
    expect((await files().output('r1', 1)).stdout).toHaveLength(0);
  });

  it('is nothing, at once, when it has put a pipe there', async () => {
    execFileSync('mkfifo', [log]);
    expect(await files().chunk('r1', 1, 'stdout', 0)).toHaveLength(0);
  });
});
