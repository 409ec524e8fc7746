import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TrustMemory, TufMemory } from '../../reconciler/ports.ts';
import {
  EMPTY_TRUST_MEMORY,
  mergeMemory,
  parseTrustMemory,
  TrustStateError,
  withSeqMark,
} from '../../trust/memory.ts';

const KEYS = ['a', 'b', 'c'].map((digit) => digit.repeat(64));
const sha = (value: number) => value.toString(16).padStart(64, '0');

const tufCopy: fc.Arbitrary<TufMemory> = fc.record({
  roots: fc
    .uniqueArray(fc.integer({ min: 2, max: 4 }))
    .map((versions) =>
      versions
        .toSorted((a, b) => a - b)
        .map((version) => ({ version, payload_sha256: sha(version), document: `root ${version}` })),
    ),
  marks: fc
    .uniqueArray(
      fc.record({
        role: fc.constantFrom('snapshot', 'timestamp'),
        keys: fc.constantFrom(...KEYS),
        version: fc.integer({ min: 1, max: 5 }),
      }),
      { selector: ({ role, keys }) => `${role} ${keys}` },
    )
    .map((marks) =>
      marks
        .toSorted((a, b) => (`${a.role} ${a.keys}` < `${b.role} ${b.keys}` ? -1 : 1))
        .map((mark) => ({ ...mark, payload_sha256: sha(mark.version), document: `${mark.version}` })),
    ),
  trigger_keys: fc
    .uniqueArray(fc.record({ keys: fc.constantFrom(...KEYS), version: fc.integer({ min: 1, max: 5 }) }), {
      selector: ({ keys }) => keys,
    })
    .map((all) =>
      all
        .toSorted((a, b) => (a.keys < b.keys ? -1 : 1))
        .map((each) => ({ ...each, document: each.version % 2 === 0 ? null : `keys ${each.version}` })),
    ),
});

/** Copies of one honest history: each knows a part of it, and what it knows agrees with the others. */
const copy: fc.Arbitrary<TrustMemory> = fc
  .record({
    roots: fc
      .uniqueArray(fc.integer({ min: 2, max: 6 }))
      .map((versions) =>
        versions.map((version) => ({ version, payload_sha256: sha(version), document: `root ${version}` })),
      ),
    seq: fc.uniqueArray(
      fc
        .record({
          keys: fc.constantFrom(...KEYS),
          value: fc.integer({ min: 1, max: 5 }),
          known: fc.boolean(),
        })
        .map(({ keys, value, known }) => ({ keys, value, payload_sha256: known ? sha(value) : null })),
      { selector: (mark) => mark.keys },
    ),
    latest_issued: fc.option(
      fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-01T01:00:00+01:00', '2026-06-01T00:00:00.500Z'),
    ),
    signed_seen: fc.boolean(),
    tuf: fc.option(tufCopy, { nil: undefined }),
  })
  .map(({ tuf, ...memory }) => (tuf === undefined ? memory : { ...memory, tuf }));

function instant(memory: TrustMemory): number {
  return memory.latest_issued === null ? Number.NEGATIVE_INFINITY : Date.parse(memory.latest_issued);
}

describe('mergeMemory', () => {
  it('does not depend on the order of the copies, nor on how often they are merged', () => {
    fc.assert(
      fc.property(copy, copy, copy, (a, b, c) => {
        expect(mergeMemory(a, b)).toEqual(mergeMemory(b, a));
        expect(mergeMemory(mergeMemory(a, b), c)).toEqual(mergeMemory(a, mergeMemory(b, c)));
        const whole = mergeMemory(a, b);
        expect(mergeMemory(whole, a)).toEqual(whole);
        expect(mergeMemory(a, EMPTY_TRUST_MEMORY)).toEqual(mergeMemory(a, a));
      }),
    );
  });

  it('never lowers a seq, never forgets a root, never goes back in time and never unlatches', () => {
    fc.assert(
      fc.property(copy, copy, (a, b) => {
        const whole = mergeMemory(a, b);
        for (const part of [a, b]) {
          for (const mark of part.seq) {
            const kept = whole.seq.find((each) => each.keys === mark.keys);
            expect(kept?.value).toBeGreaterThanOrEqual(mark.value);
          }
          expect(whole.roots).toEqual(expect.arrayContaining([...part.roots]));
          for (const mark of part.tuf?.marks ?? []) {
            const kept = whole.tuf?.marks.find(({ role, keys }) => role === mark.role && keys === mark.keys);
            expect(kept?.version).toBeGreaterThanOrEqual(mark.version);
          }
          expect(instant(whole)).toBeGreaterThanOrEqual(instant(part));
          expect(whole.signed_seen || !part.signed_seen).toBe(true);
        }
      }),
    );
  });

  it('takes the payload from the copy that knows it', () => {
    const knowing = { ...EMPTY_TRUST_MEMORY, seq: [{ keys: sha(1), value: 3, payload_sha256: sha(9) }] };
    const merged = withSeqMark(knowing, { keys: sha(1), value: 3 });
    expect(merged).toEqual({ ...knowing, signed_seen: true });
    expect(withSeqMark(knowing, { keys: sha(1), value: 4 }).seq).toEqual([
      { keys: sha(1), value: 4, payload_sha256: null },
    ]);
    expect(withSeqMark(knowing, null)).toBe(knowing);
  });

  it('says so when the copies contradict each other', () => {
    const root = (payload: number) => ({ version: 2, payload_sha256: sha(payload), document: 'x' });
    const withRoot = (payload: number) => ({ ...EMPTY_TRUST_MEMORY, roots: [root(payload)] });
    expect(() => mergeMemory(withRoot(1), withRoot(2))).toThrow(TrustStateError);
    const withSeq = (payload: number) => ({
      ...EMPTY_TRUST_MEMORY,
      seq: [{ keys: sha(1), value: 3, payload_sha256: sha(payload) }],
    });
    expect(() => mergeMemory(withSeq(1), withSeq(2))).toThrow(TrustStateError);
  });
});

describe('parseTrustMemory', () => {
  it('reads back what was written', () => {
    fc.assert(
      fc.property(copy, (memory) => {
        expect(parseTrustMemory(JSON.parse(JSON.stringify(memory)), 'copy')).toEqual(memory);
      }),
    );
  });

  it.each([
    null,
    [],
    {},
    { ...EMPTY_TRUST_MEMORY, seq: [{ keys: sha(1), value: 0, payload_sha256: null }] },
    { ...EMPTY_TRUST_MEMORY, latest_issued: 'soon' },
    { ...EMPTY_TRUST_MEMORY, more: 1 },
  ])('throws for %j and names the copy', (value) => {
    expect(() => parseTrustMemory(value, 'agent.db')).toThrow(/^agent\.db: /);
  });
});
