import { expect, test } from 'vitest';
import { plantedTree } from './planted-tree.ts';

const format = (text: string) =>
  plantedTree({ 'system/clock.ts': text }).check('node_modules/@biomejs/biome/bin/biome', 'check', 'system');

test('double quotes, a missing semicolon and unsorted imports fail the check', () => {
  expect(format('export const zone = "UTC"\n').status).not.toBe(0);
  expect(
    format(
      "import { join } from 'node:path';\nimport { readFileSync } from 'node:fs';\nexport { join, readFileSync };\n",
    ).output,
  ).toContain('organizeImports');
  expect(format("export const zone = 'UTC';\n").status).toBe(0);
});
