import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ARCHIVE_RULE_NAMES, ARCHIVE_RULES } from '../../../store/archive/archive-rules.ts';
import { unpackBundle } from '../../../store/archive/unpack-bundle.ts';
import type { UnpackAnswer } from '../../../store/archive/unpack-messages.ts';
import type { Bundle } from '../../support/bundles.ts';
import { plantCanaries, snapshotOf } from '../../support/canary-tree.ts';
import type { Caps } from '../../support/hostile-archives/hostile-case.ts';
import { TAKEN } from '../../support/hostile-archives/taken.ts';
import { HOSTILE_ARCHIVES } from '../../support/hostile-archives.ts';

const CAPS: Caps = { maxBytes: 64 * 1024 * 1024, maxFiles: 10_000 };
let umask: number;
let around: string;
let folder: string;
beforeAll(() => {
  umask = process.umask(0);
  around = mkdtempSync(join(tmpdir(), 'hostile-'));
  plantCanaries(around);
});
afterAll(() => {
  process.umask(umask);
  rmSync(around, { recursive: true, force: true });
});
beforeEach(() => {
  folder = join(around, 'state', 'unpacking');
  mkdirSync(folder, { recursive: true });
});
afterEach(() => rmSync(join(around, 'state'), { recursive: true, force: true }));

async function unpack({ bytes, sha256 }: Bundle, caps: Partial<Caps> = {}): Promise<UnpackAnswer> {
  const bundle = join(around, 'state', 'bundle');
  writeFileSync(bundle, bytes);
  const request = { id: 1, bundle, sha256, into: join(folder, 'into'), ...CAPS, ...caps };
  return unpackBundle(request, () => undefined);
}

describe('the list of hostile archives', () => {
  it('has a case for every rule of the list pass', () => {
    const broken = new Set(HOSTILE_ARCHIVES.map(({ rule }) => rule));
    expect(ARCHIVE_RULE_NAMES.filter((rule) => !broken.has(rule))).toEqual([]);
  });

  it('is told of in docs/spec/manifest.md, rule by rule', () => {
    const manifest = readFileSync(new URL('../../../docs/spec/manifest.md', import.meta.url), 'utf8');
    const rows = manifest.split('\n').filter((line) => line.startsWith('| `'));
    const told = new Set(rows.flatMap((row) => row.split(' | ')[0]?.match(/[a-z0-9_]+(?=`)/g) ?? []));
    expect(ARCHIVE_RULE_NAMES.filter((rule) => !told.has(rule))).toEqual([]);
  });

  it('gives every case a name of its own', () => {
    const names = HOSTILE_ARCHIVES.map(({ rule, name }) => `${rule}: ${name}`);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
    expect(names.length).toBeGreaterThan(250);
  });
});

describe('an archive that breaks a rule is refused by its name before a byte is written', () => {
  it.each(
    HOSTILE_ARCHIVES.map(({ rule, name, source, ...rest }) => {
      const title = source === undefined ? name : `${name} (${source})`;
      return [rule, title, rest] as const;
    }),
  )('%s: %s', async (rule, _title, { bundle, caps }) => {
    const hostile = bundle();
    const before = snapshotOf(around).filter((line) => !line.startsWith('state/bundle'));
    const answer = await unpack(hostile, caps);
    expect(answer).toEqual({ kind: 'refused', rule, code: ARCHIVE_RULES[rule], message: expect.any(String) });
    expect(snapshotOf(around).filter((line) => !line.startsWith('state/bundle'))).toEqual(before);
    // What is shown of a hostile name must not reach a terminal as it is.
    const { message } = answer as Extract<UnpackAnswer, { kind: 'refused' }>;
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\p{Cf}]/u);
    expect(message.length).toBeLessThan(500);
  });
});

describe('an archive that is odd and right is unpacked', () => {
  it.each(TAKEN.map(({ name, ...rest }) => [name, rest] as const))('%s', async (_name, { bundle, makes }) => {
    const odd = bundle();
    const before = snapshotOf(around).filter((line) => !line.startsWith('state/'));
    expect(await unpack(odd)).toMatchObject({ kind: 'unpacked' });
    const paths = snapshotOf(join(folder, 'into')).map((line) =>
      line.replace(/ (\d+ ){2,3}?[0-9a-f]{64}$| \d+$/, ''),
    );
    expect(paths.toSorted()).toEqual(makes.toSorted());
    for (const path of makes) {
      const { mode, mtimeMs, uid } = statSync(join(folder, 'into', path));
      // Windows keeps no such bits.
      expect(process.platform === 'win32' ? '444' : (mode & 0o7777).toString(8)).toMatch(/^(444|555)$/);
      expect(Math.abs(mtimeMs - Date.now())).toBeLessThan(10 * 60_000);
      expect(uid).toBe(process.getuid?.() ?? uid);
    }
    expect(snapshotOf(around).filter((line) => !line.startsWith('state/'))).toEqual(before);
    expect(existsSync(join(folder, 'into', '.complete'))).toBe(false);
  });
});
