import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { corpusOf, runTarget, tryInput } from './campaign.ts';
import { BrokenPromise, check, checkMessage } from './invariants.ts';
import { mutate } from './mutation.ts';
import { createRandom } from './random.ts';
import type { FuzzTarget } from './target.ts';
import { TARGETS } from './targets.ts';

/** Of new inputs for each parser; nightly has hours. */
const MS_A_TARGET = 350;
const SEED = Number(process.env.EDGE_AGENT_FUZZ_SEED ?? randomInt(2 ** 31));

describe(`parsers of outside bytes, by chance (EDGE_AGENT_FUZZ_SEED=${SEED})`, () => {
  it.each(TARGETS.map((target) => [target.name, target] as const))(
    '%s keeps its promises for what is kept and for what is new',
    async (name, target) => {
      for (const { name: file, bytes } of corpusOf(target)) {
        const found = await tryInput(target, bytes);
        if (found !== null)
          throw new Error(`test/fuzz/corpus/${name}/${file} breaks it again`, { cause: found.error });
      }
      const end = performance.now() + MS_A_TARGET;
      const { inputs, finding } = await runTarget(target, {
        seed: SEED,
        until: () => performance.now() > end,
      });
      if (finding !== null) {
        const again = `EDGE_AGENT_FUZZ_SEED=${SEED}, input of ${finding.input.length} bytes in base64: ${finding.input.toString('base64').slice(0, 4_000)}`;
        throw new Error(`${name} is broken: ${again}`, { cause: finding.error });
      }
      expect(inputs).toBeGreaterThan(0);
    },
  );

  it('has every kept input under the name of a parser', () => {
    expect(TARGETS.flatMap(corpusOf).length).toBeGreaterThanOrEqual(10);
  });
});

/** A parser with a fault in it, which must be found. */
function planted(fault: (text: string) => void): FuzzTarget {
  const seeds = [JSON.stringify({ version: 2, flows: [{ id: 'a', size: 10 }], name: 'x' })];
  return {
    name: 'planted',
    shape: 'json',
    seeds,
    words: ['flows', 'size', 'id'],
    repeats: ['[', 'a'],
    read: (bytes) => fault(bytes.toString('utf8')),
  };
}

describe('the search for broken parsers', () => {
  const json = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return null;
    }
  };
  const faults: Record<string, (text: string) => void> = {
    'an exception for a size that is no number': (text) => {
      const value = json(text) as { flows?: { size: number }[] } | null;
      for (const flow of value?.flows ?? [])
        check(typeof flow?.size !== 'object' || flow.size === null, 'size');
    },
    'a message with an escape sequence': (text) => {
      if (text.includes('\\u001b')) checkMessage(`found ${Object.keys(json(text) ?? {}).join()}\u001b`);
    },
    'quadratic work': (text) => {
      let sum = 0;
      for (const a of text)
        if (a === 'a') for (let at = 0; at < text.length; at += 8) sum += text.charCodeAt(at);
      check(sum >= 0, 'never');
    },
    'memory without a bound': (text) => {
      if (/"size": ?(?:\d{9,}|\d+e)/.test(text)) Buffer.alloc(200 * 1_024 * 1_024);
    },
  };

  it.each(Object.entries(faults))('finds %s', async (_name, fault) => {
    const end = performance.now() + 90_000;
    const { finding } = await runTarget(planted(fault), { seed: 7, until: () => performance.now() > end });
    expect(finding?.error).toBeInstanceOf(Error);
    // What it keeps breaks the parser again.
    expect(
      await tryInput(planted(fault), finding?.input as Buffer).then(
        (again) => again !== null || finding?.input.length === 32_768,
      ),
    ).toBe(true);
  });

  it('makes the same inputs of the same seed', () => {
    const about = { shape: 'json', seeds: [] } as const;
    const make = (seed: number) => {
      const random = createRandom(seed);
      const from = Buffer.from('{"a":[1,2,{"b":"c"}],"d":null}');
      return Array.from({ length: 50 }, () => mutate(random, from, from, about, 1_000).toString('latin1'));
    };
    expect(make(1)).toEqual(make(1));
    expect(make(1)).not.toEqual(make(2));
    expect(new Set(make(1)).size).toBeGreaterThan(40);
  });

  it('lets no error pass that a parser does not name', async () => {
    const finding = await tryInput(
      planted(() => JSON.parse('{')),
      Buffer.from('a'),
    );
    expect(finding?.error).toBeInstanceOf(SyntaxError);
    expect(finding?.error).not.toBeInstanceOf(BrokenPromise);
  });
});
