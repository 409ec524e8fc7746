import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { missingPackages } from '../../scripts/complete-lock.mjs';

const text = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8');
const { packages } = JSON.parse(text);

test('the lock names the packages of every platform, so that `npm ci` works on all of them', () => {
  expect(Object.keys(missingPackages(packages))).toEqual([]);
});

test('a missing platform is found and described from its name', () => {
  const found = missingPackages({
    'node_modules/tool': {
      dev: true,
      optionalDependencies: { '@tool/linux-arm64-musl': '1.0.0', '@tool/here': '1.0.0' },
    },
    'node_modules/@tool/here': { version: '1.0.0' },
  });
  expect(found).toEqual({
    'node_modules/@tool/linux-arm64-musl': {
      version: '1.0.0',
      cpu: ['arm64'],
      dev: true,
      libc: ['musl'],
      optional: true,
      os: ['linux'],
    },
  });
});

test('the lock names no registry', () => {
  expect(text).not.toContain('"resolved"');
});

test('whatever the product needs at run time has an integrity in the lock', () => {
  const open = Object.entries<{ dev?: boolean; integrity?: string }>(packages)
    .filter(([path, entry]) => path !== '' && !entry.dev && entry.integrity === undefined)
    .map(([path]) => path);
  expect(open).toEqual([]);
});
