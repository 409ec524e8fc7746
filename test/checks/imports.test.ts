import { expect, test } from 'vitest';
import { plantedTree } from './planted-tree.ts';

const CHECK = 'scripts/check-imports.ts';
const uses = (...modules: string[]) => modules.map((module) => `import '${module}';\n`).join('');

// One module for every folder, so that each forbidden import has something to point to.
const FOLDERS = {
  'schemas/names.ts': uses('zod'),
  'system/clock.ts': uses('../schemas/names.ts', 'node:timers', 'pino'),
  'reconciler/ports.ts': uses('../schemas/names.ts'),
  'reconciler/plan.ts': uses('./ports.ts'),
  'trust/root.ts': uses('../reconciler/ports.ts', '../system/clock.ts', 'jose'),
  'sources/git.ts': uses('../reconciler/ports.ts', 'chokidar'),
  'store/cache.ts': uses('../reconciler/ports.ts', 'node:fs'),
  'executors/python.ts': uses('../reconciler/ports.ts'),
  'sinks/outbox.ts': uses('../reconciler/ports.ts'),
  'agent/wire.ts': uses(
    '../sources/git.ts',
    '../sinks/outbox.ts',
    '../reconciler/plan.ts',
    '../trust/root.ts',
  ),
  'cli/main.ts': uses('../agent/wire.ts', '../system/clock.ts', 'commander'),
  'console/main.ts': uses('../trust/root.ts', 'fastify', './store/open-store.ts'),
  'console/store/open-store.ts': uses('./sqlite/agents.ts'),
  'console/store/sqlite/agents.ts': uses('node:sqlite'),
  'console/web/main.tsx': `${uses('./parts/list.tsx', 'preact', 'wouter-preact')}import type { names } from '../../schemas/names.ts';\nexport type Names = typeof names;\n`,
  'console/web/parts/list.tsx':
    "import type { z } from 'zod';\nexport const list = <ul />;\nexport type Z = z.ZodType;\n",
  'scripts/build.ts': uses('../cli/main.ts'),
  'bench/main.ts': uses('../cli/main.ts'),
  'examples/demo/main.ts': uses('../../cli/main.ts'),
  'test/support/server.ts': uses('../../store/cache.ts', 'vitest'),
};

test('the imports that the table allows pass', () => {
  const { status, output } = plantedTree(FOLDERS).check(CHECK);
  expect(output).toContain('20 modules, 37 imports, 0 faults');
  expect(status).toBe(0);
});

// The kind of fault, who imports, what, and the rule that must say so.
const FORBIDDEN = [
  ['schemas/a.ts', '../system/clock.ts', 'schemas-folders'],
  ['schemas/b.ts', 'node:fs', 'schemas-node'],
  ['schemas/c.ts', 'yaml', 'schemas-packages'],
  ['system/a.ts', '../reconciler/ports.ts', 'system-folders'],
  ['reconciler/a.ts', '../system/clock.ts', 'reconciler-folders'],
  ['reconciler/b.ts', 'node:path', 'reconciler-node'],
  ['reconciler/c.ts', 'zod', 'reconciler-packages'],
  ['trust/a.ts', '../reconciler/plan.ts', 'trust-folders'],
  ['trust/b.ts', '../store/cache.ts', 'trust-folders'],
  ['sources/a.ts', '../reconciler/plan.ts', 'sources-folders'],
  ['sources/b.ts', '../trust/root.ts', 'sources-folders'],
  ['store/a.ts', '../reconciler/plan.ts', 'store-folders'],
  ['store/b.ts', '../executors/python.ts', 'store-folders'],
  ['executors/a.ts', '../reconciler/plan.ts', 'executors-folders'],
  ['executors/b.ts', '../sinks/outbox.ts', 'executors-folders'],
  ['sinks/a.ts', '../reconciler/plan.ts', 'sinks-folders'],
  ['sinks/b.ts', '../sources/git.ts', 'sinks-folders'],
  ['agent/a.ts', '../cli/main.ts', 'agent-folders'],
  ['agent/b.ts', '../console/main.ts', 'agent-folders'],
  ['cli/a.ts', '../sources/git.ts', 'cli-folders'],
  ['cli/b.ts', '../reconciler/ports.ts', 'cli-folders'],
  ['console/a.ts', '../agent/wire.ts', 'console-folders'],
  ['console/b.ts', '../reconciler/ports.ts', 'console-folders'],
  ['console/c.ts', './web/parts/list.tsx', 'pages-are-apart'],
  ['console/d.ts', './store/sqlite/agents.ts', 'console-store'],
  ['console/e.ts', 'node:sqlite', 'console-database'],
  ['agent/d.ts', '../console/web/parts/list.tsx', 'pages-are-apart'],
  ['console/web/a.tsx', '../main.ts', 'pages-folders'],
  ['console/web/b.ts', '../../system/clock.ts', 'pages-folders'],
  ['console/web/c.tsx', 'node:path', 'pages-node'],
  ['console/web/d.tsx', 'fastify', 'pages-packages'],
  ['console/web/e.tsx', '../../schemas/names.ts', 'pages-types'],
  ['console/web/f.tsx', 'zod', 'pages-types'],
  ['system/b.ts', '../test/support/server.ts', 'system-folders'],
  ['system/c.ts', '../examples/demo/main.ts', 'system-folders'],
  ['system/d.ts', '../bench/main.ts', 'system-folders'],
  ['system/e.ts', '../scripts/build.ts', 'system-folders'],
  ['agent/c.ts', 'commander', 'home-of-commander'],
  ['sinks/c.ts', 'fastify', 'home-of-fastify'],
  ['store/c.ts', 'fast-check', 'development-package'],
  ['store/d.ts', 'acorn', 'undeclared-package'],
  ['store/e.ts', './nowhere.ts', 'unresolvable'],
  ['store/f.ts', 'no-such-package', 'unresolvable'],
] as const;

test('every forbidden import is named with its rule', () => {
  const planted = Object.fromEntries(FORBIDDEN.map(([from, to]) => [from, uses(to)]));
  const cycle = { 'store/ring.ts': uses('./wheel.ts'), 'store/wheel.ts': uses('./ring.ts') };
  const typeOnly = {
    'sinks/type.ts': "import type { plan } from '../reconciler/plan.ts';\nexport type Plan = typeof plan;\n",
  };
  const { status, output } = plantedTree({ ...FOLDERS, ...planted, ...cycle, ...typeOnly }).check(CHECK);
  const missed = FORBIDDEN.filter(
    ([from, , rule]) =>
      !output.split('\n').some((line) => line.startsWith(`${from} → `) && line.endsWith(`[${rule}]`)),
  );
  expect(missed).toEqual([]);
  expect(output).toMatch(/store\/(ring|wheel)\.ts → .*\[cycle\]/);
  expect(output).toMatch(/sinks\/type\.ts → reconciler\/plan\.ts: .*\[sinks-folders\]/);
  expect(status).toBe(1);
});

// However a module is asked for, it is seen; a checker that knows one way only is easily passed by.
test.each([
  ["import type { Plan } from '../reconciler/plan.ts';\nexport type P = Plan;\n"],
  ["import { type Plan } from '../reconciler/plan.ts';\nexport type P = Plan;\n"],
  ["export * from '../reconciler/plan.ts';\n"],
  ["export type { Plan } from '../reconciler/plan.ts';\n"],
  ["export const load = () => import('../reconciler/plan.ts');\n"],
  ["export class Load { static async now() { return (await import('../reconciler/plan.ts')).plan; } }\n"],
  [
    "export async function load() { await using plan = await import('../reconciler/plan.ts'); return plan; }\n",
  ],
  [
    "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\nrequire('../reconciler/plan.ts');\n",
  ],
])('sees the import in %j', (text) => {
  const { output } = plantedTree({ ...FOLDERS, 'sinks/any-way.ts': text }).check(CHECK);
  expect(output).toContain('sinks/any-way.ts → reconciler/plan.ts:');
});

test('a file in a drawer or a barrel fails the check', () => {
  const { status, output } = plantedTree({ ...FOLDERS, 'system/utils/index.ts': uses('../clock.ts') }).check(
    CHECK,
  );
  expect(output).toContain('"utils" names no idea');
  expect(output).toContain('no barrels');
  expect(status).toBe(1);
});

test('a check that read no modules fails', () => {
  const { status, output } = plantedTree({}).check(CHECK);
  expect(output).toContain('expected modules below');
  expect(status).toBe(1);
});

test('a check that saw no imports fails: the parser has not understood the files', () => {
  const { status, output } = plantedTree({
    'system/a.ts': 'export {};\n',
    'system/b.ts': 'export {};\n',
  }).check(CHECK);
  expect(output).toContain('is this TypeScript read at all?');
  expect(status).toBe(1);
});
