import { expect, test } from 'vitest';
import { createMemoryGuard } from '../../../sources/git/memory-guard.ts';

const MIB = 1_048_576;

/** Memory of which a part is garbage until it is collected. */
function memory(live: number, garbage: number) {
  const looked = { collections: 0 };
  const deps = {
    memoryBytes: () => (looked.collections === 0 ? live + garbage : live) * MIB,
    collectGarbage: () => {
      looked.collections += 1;
    },
  };
  return { deps, looked };
}

test('garbage is collected before memory counts as used up', () => {
  const { deps, looked } = memory(90, 200);
  createMemoryGuard(deps, 100 * MIB)(64 * MIB);
  expect(looked.collections).toBe(1);
});

test('what is still there after a collection is too much', () => {
  const { deps } = memory(101, 0);
  const pulse = createMemoryGuard(deps, 100 * MIB);
  expect(() => pulse(64 * MIB)).toThrow('expected a fetch within 104857600 bytes of memory');
});

test('many small objects are looked at too, but not each', () => {
  const { deps, looked } = memory(60, 0);
  const pulse = createMemoryGuard(deps, 100 * MIB);
  for (let n = 0; n < 200_000; n += 1) pulse(100);
  expect(looked.collections).toBeGreaterThan(1);
  expect(looked.collections).toBeLessThan(10);
});
