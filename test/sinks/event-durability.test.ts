import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'durability-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

/** The system calls on the log's file that a process makes between two marks on standard error. */
function callsOf(count: number): string[] {
  const trace = path.join(directory, 'trace');
  const script = path.join(import.meta.dirname, '../support/event-writer.ts');
  const node = [process.execPath, script, path.join(directory, 'state'), String(count)];
  execFileSync('strace', ['-f', '-y', '-e', 'trace=write,pwrite64,fdatasync', '-o', trace, ...node], {
    stdio: 'ignore',
  });
  const lines = fs.readFileSync(trace, 'utf8').split('\n');
  const from = lines.findIndex((line) => line.includes('mark: emitting'));
  const to = lines.findIndex((line) => line.includes('mark: emitted'));
  return lines
    .slice(from, to)
    .filter((line) => line.includes('/events.jsonl>'))
    .map((line) => /\b(write|pwrite64|fdatasync)\(/.exec(line)?.[1] ?? '?');
}

const traced = process.platform === 'linux' && spawnSync('strace', ['-V']).status === 0;
describe.skipIf(!traced)('what the kernel is asked for', () => {
  test('one event is written and on disk when emit returns', () => {
    expect(callsOf(1)).toEqual(['write', 'fdatasync']);
  });

  test('a thousand in a row are a write each and few syncs', () => {
    const calls = callsOf(1_000);
    expect(calls.filter((call) => call === 'write')).toHaveLength(1_000);
    const syncs = calls.filter((call) => call === 'fdatasync').length;
    expect(syncs).toBeGreaterThan(0);
    expect(syncs).toBeLessThan(250);
  });
});
