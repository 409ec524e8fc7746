import { describe, expect, test } from 'vitest';
import { createShares } from '../../console/shares.ts';

describe('shares', () => {
  const shares = () => createShares({ all: 3, each: 2, what: 'streams' });

  test('let nobody shut out the others', () => {
    const held = shares();
    held.take('greedy');
    held.take('greedy');
    expect(() => held.take('greedy')).toThrow(expect.objectContaining({ status: 429, code: 'too_many' }));
    expect(() => held.take('modest')).not.toThrow();
    expect(() => held.take('late')).toThrow(expect.objectContaining({ status: 503, code: 'busy' }));
  });

  test('are given back once, however often somebody lets go', () => {
    const held = shares();
    const giveBack = held.take('a');
    held.take('b');
    held.take('b');
    giveBack();
    giveBack();
    held.take('c');
    expect(() => held.take('d')).toThrow(expect.objectContaining({ code: 'busy' }));
  });
});
