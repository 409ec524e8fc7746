import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictJson } from '../../trust/strict-json.ts';

const parse = (text: string) => parseStrictJson(Buffer.from(text, 'utf8'));

describe('parseStrictJson', () => {
  it('reads whatever JSON.stringify writes, as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        expect(parse(text)).toEqual({ kind: 'parsed', value: JSON.parse(text) });
      }),
    );
  });

  it('never takes what JSON.parse refuses, and never throws', () => {
    const characters = Array.from('{}[]":,\\u0061ab1 \n');
    let parsed = 0;
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...characters) }), (text) => {
        const result = parse(text);
        if (result.kind === 'malformed') return true;
        parsed += 1;
        return isDeepStrictEqual(result.value, JSON.parse(text));
      }),
      { numRuns: 2_000 },
    );
    expect(parsed).toBeGreaterThan(10);
  });

  it.each([
    ['plain', '{"a":1,"a":2}'],
    ['the same value', '{"a":1,"a":1}'],
    ['escaped differently', String.raw`{"a":1,"\u0061":2}`],
    ['nested', '{"x":[{"b":1,"c":{},"b":2}]}'],
    ['after a nested object', '{"a":{"b":1},"a":2}'],
  ])('refuses a name that stands twice in an object: %s', (_, text) => {
    expect(parse(text)).toMatchObject({ kind: 'malformed', message: expect.stringContaining('twice') });
  });

  it('takes a name again in another object, and as a value', () => {
    expect(parse('[{"a":"a"},{"a":"a"},{"b":{"b":["b","b"]}}]').kind).toBe('parsed');
  });

  it('refuses bytes that are not UTF-8, and a byte order mark', () => {
    expect(parseStrictJson(Buffer.from([0x22, 0xc3, 0x28, 0x22])).kind).toBe('malformed');
    expect(parseStrictJson(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])).kind).toBe('malformed');
    expect(parse('\uFEFF{}').kind).toBe('malformed');
  });

  it('takes 32 levels and refuses 33', () => {
    expect(parse('['.repeat(32) + ']'.repeat(32)).kind).toBe('parsed');
    expect(parse('['.repeat(33) + ']'.repeat(33))).toMatchObject({
      message: expect.stringContaining('32 levels'),
    });
  });

  it.each([
    ['brackets', '['.repeat(500_000)],
    ['escaped quotes that never end', `"${String.raw`\"`.repeat(250_000)}`],
    ['quotes', '"'.repeat(500_001)],
  ])('answers half a megabyte of %s at once', (_, text) => {
    const started = performance.now();
    expect(parse(text).kind).toBe('malformed');
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it('gives __proto__ no power', () => {
    const result = parse('{"__proto__":{"admin":true}}');
    expect(result.kind).toBe('parsed');
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});
