import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { ManifestV2 } from '../../schemas/manifest-v2.ts';
import { formatProblem } from '../../system/document-problem.ts';
import { parseJson } from '../../system/json-document.ts';
import { scanJson } from '../../system/json-positions.ts';
import { locate, positionAt } from '../../system/text-position.ts';

function problems(text: string, schema: z.ZodType = ManifestV2): string[] {
  const outcome = parseJson(text, schema, { maxBytes: 100_000 });
  return outcome.kind === 'valid'
    ? []
    : outcome.problems.map((problem) => formatProblem('manifest.json', problem));
}

test('names line, column and path of everything wrong in a manifest', () => {
  const text = `{
  "manifest_version": 2,
  "flows": [
    { "id": "a", "version": "v1", "edge_url": "https://x.example/a", "sha256": "zz",
      "runtime": "pyton", "scedule": "* * * * *" }
  ]
}`;
  expect(problems(text)).toEqual([
    'manifest.json:4:80: flows[0].sha256: found "zz", expected 64 hexadecimal digits',
    'manifest.json:5:18: flows[0].runtime: found "pyton", expected one of "python", "playwright", "ahk", "subprocess", "service"; did you mean "python"?',
    expect.stringMatching(/^manifest\.json:5:27: unknown key "scedule" — .* did you mean "schedule"\?$/),
  ]);
});

test('names a missing key at the item that lacks it', () => {
  expect(problems('{"manifest_version": 2,\n "flows": [\n  {"id": "a"}]}')[0]).toBe(
    'manifest.json:3:3: missing key "flows[0].version" — expected a text',
  );
});

test.each([
  ['{"a": 1,}', '1:9', 'a text in double quotes'],
  ['{"a" 1}', '1:6', '":" after a key'],
  ['[1\n 2]', '2:2', '"," or "]"'],
  ['{"a": tru}', '1:7', 'a value'],
  ['{} x', '1:4', 'nothing after the end'],
  ['', '1:1', 'a value'],
  ['{"a": "b\n"}', '1:7', 'a text in double quotes'],
])('names the place where %s is no JSON', (text, place, expected) => {
  expect(problems(text)[0]).toMatch(`manifest.json:${place}: `);
  expect(problems(text)[0]).toContain(`expected ${expected}`);
});

test('refuses a document over its cap', () => {
  expect(problems(`"${'x'.repeat(100_000)}"`)).toEqual([
    'manifest.json:1:1: found 100002 bytes, expected at most 100000',
  ]);
});

test('tells problems of a document nested very deeply, too', () => {
  expect(problems(`{"a":${'['.repeat(50_000)}`, z.number())).toHaveLength(1);
  expect(problems(`{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`, z.number())).toHaveLength(1);
});

test('property: finds the place of every value of any JSON, and breaks exactly where JSON.parse does', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.nat(4), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      const scan = scanJson(text);
      if (scan.kind !== 'scanned') throw new Error(`broken at ${scan.offset}`);
      const visit = (inner: unknown, path: PropertyKey[]) => {
        const start = text.slice(locate(scan.root, path, 'value'));
        const isLeaf = typeof inner !== 'object' || inner === null;
        const written = JSON.stringify(inner, null, indent).slice(0, isLeaf ? undefined : 1);
        expect(start.slice(0, written.length)).toBe(written);
        for (const [key, child] of isLeaf ? [] : Object.entries(inner)) visit(child, [...path, key]);
      };
      visit(value, []);
    }),
  );
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 3 }),
      fc.nat(),
      fc.constantFrom('', ',', '}', '"', '\\', '1', '\n', ' '),
      (value, at, patch) => {
        const text = JSON.stringify(value);
        const place = at % (text.length + 1);
        const broken = text.slice(0, place) + patch + text.slice(place + 1);
        const parses = canParse(broken);
        expect(scanJson(broken).kind).toBe(parses ? 'scanned' : 'broken');
      },
    ),
    { numRuns: 1_000 },
  );
});

test('counts lines and columns from 1', () => {
  expect(positionAt('ab\ncd', 0)).toEqual({ line: 1, column: 1 });
  expect(positionAt('ab\ncd', 2)).toEqual({ line: 1, column: 3 });
  expect(positionAt('ab\ncd', 3)).toEqual({ line: 2, column: 1 });
  expect(positionAt('ab\ncd', 99)).toEqual({ line: 2, column: 3 });
});

function canParse(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
