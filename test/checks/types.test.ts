import { expect, test } from 'vitest';
import { plantedTree } from './planted-tree.ts';

const TSC = 'node_modules/typescript/bin/tsc';

test('a wrong type fails the check, and the same file without it passes', () => {
  const wrong = plantedTree({ 'system/clock.ts': "export const seconds: number = 'ten';\n" }).check(TSC);
  expect(wrong.output).toContain('TS2322');
  expect(wrong.status).not.toBe(0);

  const right = plantedTree({ 'system/clock.ts': 'export const seconds: number = 10;\n' }).check(TSC);
  expect(right).toEqual({ status: 0, output: '' });
});

test('syntax that Node cannot strip fails the check', () => {
  const { status, output } = plantedTree({ 'system/colour.ts': 'export enum Colour { Red }\n' }).check(TSC);
  expect(output).toContain('erasableSyntaxOnly');
  expect(status).not.toBe(0);
});

test('a page is held to the types of a browser, and to no Node’s', () => {
  const check = (text: string) =>
    plantedTree({ 'console/web/place.tsx': text }).check(TSC, '-p', 'console/web');
  expect(check('export const place = <p title={7}>{process.pid}</p>;\n').output).toMatch(
    /TS2322[^]*TS(2304|2580|2591)/,
  );
  expect(check('export const place = <p title="seven">{document.title}</p>;\n')).toEqual({
    status: 0,
    output: '',
  });
});
