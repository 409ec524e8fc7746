import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readPrivateFile } from '../../system/private-file.ts';

let path: string;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'private-')), 'secret');
});
afterEach(() => rmSync(join(path, '..'), { recursive: true }));

test.skipIf(process.platform === 'win32')('closes a file to others before it is read', async () => {
  writeFileSync(path, 'text');
  chmodSync(path, 0o664);
  expect(await readPrivateFile(path, 100)).toEqual({ kind: 'read', text: 'text' });
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('leaves a stricter mode as it is', async () => {
  writeFileSync(path, 'text', { mode: 0o400 });
  await readPrivateFile(path, 100);
  expect(statSync(path).mode & 0o777).toBe(0o400);
});

test('says of a file that it is absent, or too large, and never what is in it', async () => {
  expect(await readPrivateFile(path, 100)).toEqual({ kind: 'absent' });
  writeFileSync(path, 'secret'.repeat(20));
  expect(await readPrivateFile(path, 100)).toEqual({
    kind: 'unusable',
    message: `${path}: expected at most 100 bytes, found 120`,
  });
});
