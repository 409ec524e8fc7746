import { expect, test } from 'vitest';
import { plantedTree } from './planted-tree.ts';

test('an export and a file that nothing uses fail the check', () => {
  const { status, output } = plantedTree({
    'cli/main.ts': "import { used } from './verbs.ts';\nused();\n",
    'cli/verbs.ts': 'export function used(): void {}\nexport function forgotten(): void {}\n',
    'cli/orphan.ts': 'export const orphan = 1;\n',
  }).check('node_modules/knip/bin/knip.js', '--include', 'exports,files');
  expect(output).toMatch(/Unused exports \(1\)\nforgotten\b/);
  expect(output).toContain('cli/orphan.ts');
  expect(status).not.toBe(0);
});
