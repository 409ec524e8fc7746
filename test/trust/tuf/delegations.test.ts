import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TufTargets } from '../../../schemas/tuf.ts';
import { canonicalJson, NotCanonicalError } from '../../../trust/tuf/canonical-json.ts';
import { matchesPath, rolesFor, signersOf } from '../../../trust/tuf/delegations.ts';
import { bytesFault, readMetadata, shortfall } from '../../../trust/tuf/metadata.ts';
import { refreshTopLevel } from '../../../trust/tuf/refresh.ts';
import { readTrustedRoot } from '../../../trust/tuf/root-walk.ts';
import { createTargetFinder } from '../../../trust/tuf/targets.ts';
import { tufFile, tufKey, tufRoot } from './signed-metadata.ts';

const key = tufKey('one');
const common = { spec_version: '1.0.31', version: 1, expires: '2030-01-01T00:00:00Z' };
const NOW = new Date('2026-11-20T15:00:00Z');

function targets(roles: readonly object[], more: object = {}) {
  const delegations = { keys: { one: key.key }, roles };
  return { ...common, _type: 'targets', targets: {}, delegations, ...more };
}
const role = (name: string, change: object = {}) => ({
  name,
  keyids: ['one'],
  threshold: 1,
  terminating: false,
  paths: ['*'],
  ...change,
});

describe('a path pattern of a delegation', () => {
  it.each([
    ['*', 'a', true],
    ['*', 'a/b', false],
    ['a/*', 'a/b', true],
    ['a/*', 'a/b/c', false],
    ['*/*', '/', true],
    ['foo-?.tgz', 'foo-1.tgz', true],
    ['foo-?.tgz', 'foo-.tgz', false],
    ['*.tgz', '.hidden.tgz', true],
    ['a*b*c', 'axxbxxbc', true],
    ['a*b*c', 'axxbxx', false],
    ['{a,b}', 'a', false],
    ['{a,b}', '{a,b}', true],
    ['!a', 'b', false],
    ['[ab]', 'a', false],
    ['A', 'a', false],
    ['', '', true],
  ])('%s and %s: %s', (pattern, path, expected) => {
    expect(matchesPath(pattern, path)).toBe(expected);
  });

  it('says what a regular expression of the same meaning says', () => {
    const sign = fc.constantFrom('a', 'b', '*', '?', '/');
    const text = (from: fc.Arbitrary<string>) => fc.string({ unit: from, maxLength: 12 });
    fc.assert(
      fc.property(text(sign), text(fc.constantFrom('a', 'b', '/')), (pattern, path) => {
        const expression = pattern.replaceAll('*', '[^/]*').replaceAll('?', '[^/]');
        expect(matchesPath(pattern, path)).toBe(new RegExp(`^${expression}$`).test(path));
      }),
    );
  });

  it('costs nobody the day, however many stars it has', () => {
    expect(matchesPath(`${'*a'.repeat(2_000)}b`, 'a'.repeat(4_000))).toBe(false);
  });
});

describe('delegations', () => {
  it('are asked in the order they are named, numbers or not', () => {
    const { delegations } = TufTargets.parse(targets([role('b'), role('10'), role('9')]));
    expect(rolesFor(delegations as NonNullable<typeof delegations>, 'x').map(({ name }) => name)).toEqual([
      'b',
      '10',
      '9',
    ]);
  });

  it('name no role of the top level, none twice, and none that is not there', () => {
    for (const name of ['root', 'timestamp', 'snapshot', 'targets']) {
      expect(TufTargets.safeParse(targets([role(name)])).success).toBe(false);
    }
    expect(TufTargets.safeParse(targets([role('a'), role('a')])).success).toBe(false);
    expect(signersOf(TufTargets.parse(targets([role('a')])), 'b')).toBeNull();
  });

  it.each([1, 4, 7, 8, 10, 32])('of 2^%i bins lead each path to one, and to none beside', (bits) => {
    const bins = { keyids: ['one'], threshold: 1, bit_length: bits, name_prefix: 'bin' };
    const parsed = TufTargets.parse(
      targets([], { delegations: { keys: { one: key.key }, succinct_roles: bins } }),
    );
    const [{ name } = { name: '' }] = rolesFor(
      parsed.delegations as NonNullable<typeof parsed.delegations>,
      'tenant/acme/manifest.json',
    );
    expect(signersOf(parsed, name)?.role.threshold).toBe(1);
    for (const other of [`${name}0`, name.toUpperCase(), 'bin-', 'bin', `bin-${(2 ** bits).toString(16)}`]) {
      expect(signersOf(parsed, other)).toBeNull();
    }
  });

  it('are looked into 32 roles deep and no further, round or not', async () => {
    const files = new Map<string, Uint8Array>();
    const names = Array.from({ length: 40 }, (_, index) => `role${index}`);
    const put = (name: string, signed: object) => files.set(name, Buffer.from(tufFile(signed, [key])));
    const meta = Object.fromEntries(['targets', ...names].map((name) => [`${name}.json`, { version: 1 }]));
    put('timestamp.json', { ...common, _type: 'timestamp', meta: { 'snapshot.json': { version: 1 } } });
    put('1.snapshot.json', { ...common, _type: 'snapshot', meta });
    put('1.targets.json', targets([role('role0')]));
    for (const [index, name] of names.entries()) {
      const target = { length: 1, hashes: { sha256: '0'.repeat(64) } };
      const listed = index === 39 ? { deep: target } : index === 20 ? { shallow: target } : {};
      // each also leads back to the first
      put(`1.${name}.json`, targets([role('role0'), role(`role${index + 1}`)], { targets: listed }));
    }
    const reader = { read: async (name: string) => files.get(name) ?? ('missing' as const) };
    const kept = { remembered: () => [], accept: () => undefined };
    const root = readTrustedRoot(Buffer.from(tufRoot([key])), 'root');
    if (root.kind === 'refused') throw new Error(root.message);
    const topLevel = await refreshTopLevel(root, reader, kept, NOW);
    if (topLevel.kind === 'refused') throw new Error(topLevel.message);
    const finder = createTargetFinder(topLevel, reader, kept, NOW);
    expect((await finder.find('shallow')).kind).toBe('found');
    expect(await finder.find('deep')).toMatchObject({
      kind: 'unlisted',
      message: expect.stringContaining('32 roles'),
    });
    expect((await finder.find('__proto__')).kind).toBe('unlisted');
    expect((await finder.find('constructor')).kind).toBe('unlisted');
  });
});

describe('a target', () => {
  const bytes = Buffer.from('abc');
  const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

  it('is bound by SHA-256 or SHA-512, and by every one of them that is named', () => {
    expect(bytesFault(bytes, { length: 3, hashes: { sha256, md5: '0' } })).toBeNull();
    expect(bytesFault(bytes, { length: 3, hashes: { sha256, sha512: '0' } })).toMatch(/expected sha512/);
    expect(bytesFault(bytes, { length: 4, hashes: { sha256 } })).toMatch(/expected 4 bytes/);
    const md5 = '900150983cd24fb0d6963f7d28e17f72';
    expect(bytesFault(bytes, { length: 3, hashes: { md5 } })).toMatch(/expected a hash of sha256/);
    expect(bytesFault(bytes, { length: 3, hashes: {} })).toMatch(/expected a hash of sha256/);
  });

  it('is signed for by distinct keys: one key under two names is one', () => {
    const again = { ...key, id: 'two' };
    const metadata = readMetadata('root', Buffer.from(tufRoot([key, again])), 'root');
    if (metadata.kind === 'refused') throw new Error(metadata.message);
    const { keys, roles } = metadata.signed;
    expect(metadata.signatures.size).toBe(2);
    expect(shortfall(metadata, { role: roles.targets, keys }, 'targets')).toMatch(
      /2 distinct targets keys, found 1/,
    );
    expect(shortfall(metadata, { role: { ...roles.targets, threshold: 1 }, keys }, 'targets')).toBeNull();
  });
});

describe('canonical JSON', () => {
  it('sorts by code points, escapes two signs alone, and has no white space', () => {
    const value = { b: [1, -2, true, null], a: 'x"\\\n\u0007é', '\u{10000}': 1, '\uffff': 2 };
    expect(Buffer.from(canonicalJson(value)).toString()).toBe(
      '{"a":"x\\"\\\\\n\u0007é","b":[1,-2,true,null],"\uffff":2,"\u{10000}":1}',
    );
  });

  it.each([[1.5], [2 ** 53], [Number.NaN], ['\ud800']])('has no form for %s', (value) => {
    expect(() => canonicalJson([value])).toThrow(NotCanonicalError);
  });
});
