import { expect, test } from 'vitest';
import { nameFaults } from '../../scripts/name-faults.ts';

test.each([
  ['system/utils.ts', 'names no idea'],
  ['system/lib/clock.ts', 'names no idea'],
  ['sinks/helpers/post.ts', 'names no idea'],
  ['executors/process-manager.ts', 'names no idea'],
  ['store/misc.ts', 'names no idea'],
  ['trust/index.ts', 'no barrels'],
  ['trust/verifyRelease.ts', 'kebab-case'],
])('%s is refused', (file, why) => {
  expect(nameFaults([file])).toEqual([expect.stringContaining(why)]);
});

test('nouns in kebab case pass, and only modules are judged', () => {
  expect(
    nameFaults(['store/atomic-write.ts', 'test/checks/names.test.ts', 'console/web/index.html']),
  ).toEqual([]);
});
