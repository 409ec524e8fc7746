import { expect, test } from 'vitest';
import { plantedTree } from './planted-tree.ts';

const lint = (file: string, text: string) =>
  plantedTree({ [file]: text }).check('node_modules/oxlint/bin/oxlint', '--type-aware', '--deny-warnings');

const WAIT = 'export async function wait(): Promise<void> {}\n';

test('a promise that nobody awaits fails the check, so the linter knows the types', () => {
  const floating = lint('system/wait.ts', `${WAIT}export function start(): void {\n  wait();\n}\n`);
  expect(floating.output).toContain('no-floating-promises');
  expect(floating.status).not.toBe(0);

  const awaited = lint(
    'system/wait.ts',
    `${WAIT}export async function start(): Promise<void> {\n  await wait();\n}\n`,
  );
  expect(awaited.output).toContain('0 errors');
  expect(awaited.status).toBe(0);
});

test('a switch that forgets a kind fails the check', () => {
  const { status, output } = lint(
    'system/kind.ts',
    "export function name(kind: 'a' | 'b'): string | undefined {\n  switch (kind) {\n    case 'a':\n      return 'A';\n  }\n  return undefined;\n}\n",
  );
  expect(output).toContain('switch-exhaustiveness-check');
  expect(status).not.toBe(0);
});

test('console is for programs that talk to a terminal', () => {
  const text = "console.log('ready');\nexport const ready = true;\n";
  expect(lint('system/report.ts', text).output).toContain('no-console');
  expect(lint('cli/report.ts', text).status).toBe(0);
});

test('a page that leaves somebody out fails the check', () => {
  const picture = (more: string) => `export const picture = <img src="/a.png"${more} />;\n`;
  expect(lint('console/web/picture.tsx', picture('')).output).toContain('alt-text');
  expect(lint('console/web/picture.tsx', picture(' alt="a"')).status).toBe(0);
});
