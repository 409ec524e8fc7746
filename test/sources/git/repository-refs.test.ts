import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readRefs, writeRefs } from '../../../sources/git/repository-refs.ts';

test('refs are written in the order of their bytes, whatever the script, and read back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'git-refs-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const names = ['z', 'a', 'ab', 'a-b', '\u{1f600}', '\uff5e', '\ue000', 'é', '\u{10ffff}', '\ud7ff'].map(
    (name) => `refs/tags/${name}`,
  );
  const refs = new Map(names.map((name) => [name, { oid: 'a'.repeat(40), peeled: null }]));
  await writeRefs(folder, refs);
  const written = readFileSync(join(folder, 'packed-refs'), 'utf8').trimEnd().split('\n').slice(1);
  const byBytes = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(written.map((line) => line.slice(41))).toEqual(byBytes);
  expect(readRefs(folder)).toEqual(refs);
});
