import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { requirePart } from '../support/parts.ts';

function emptyMachine(ci: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'edge-agent-parts-'));
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });
  vi.stubEnv('EDGE_AGENT_CACHE', folder);
  vi.stubEnv('PATH', folder);
  vi.stubEnv('CI', ci);
  // This test's own look at a missing part is not to be reported at the end of the run.
  vi.stubEnv('EDGE_AGENT_SKIPPED_PARTS', join(folder, 'skipped'));
  return folder;
}

test('a missing part is skipped at a desk and a failure in CI', () => {
  emptyMachine('');
  expect(requirePart('minio')).toBeNull();
  vi.stubEnv('CI', 'true');
  expect(() => requirePart('minio')).toThrow('expected minio in the cache or on PATH');
});

test.skipIf(process.platform === 'win32')('a part of the user on PATH is used', () => {
  const own = join(emptyMachine('true'), 'minio');
  writeFileSync(own, '#!/bin/sh\n');
  expect(() => requirePart('minio')).toThrow('found none');
  chmodSync(own, 0o755);
  expect(requirePart('minio')).toBe(own);
});
