import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Facts, verdictOf } from '../../../console/fleet/verdict.ts';
import { AgentState } from '../../../schemas/console/agent.ts';
import { Verdict } from '../../../schemas/console/overview.ts';

const states = fc
  .record(Object.fromEntries(AgentState.options.map((state) => [state, fc.integer({ min: 0, max: 20 })])))
  .map((counts) => counts as Facts['states']);
const main = fc.option(
  fc.record({
    reason: fc.string({ minLength: 1, maxLength: 40 }),
    message: fc.string({ unit: 'grapheme', maxLength: 2_000 }),
    count: fc.integer({ min: 1, max: 20 }),
  }),
);

describe('the verdict', () => {
  it('is one line and one sentence with the number it is about, whatever agents say', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 }), states, main, (tenants, found, reason) => {
        const verdict = verdictOf({ tenants, states: found, main: reason });
        expect(Verdict.safeParse(verdict).success).toBe(true);
        expect(verdict.text).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(verdict.text.endsWith('.')).toBe(true);
        expect(Array.from(verdict.text).length).toBeLessThan(700);
        expect(verdict.count).toBeLessThanOrEqual(verdict.total);
        const { revoked: _revoked, ...counted } = found;
        expect(verdict.total).toBe(Object.values(counted).reduce((sum, agents) => sum + agents, 0));
        const isNumbered = verdict.level !== 'empty' && verdict.level !== 'ok';
        expect(verdict.text.includes(`${verdict.count} of ${verdict.total} `)).toBe(isNumbered);
      }),
    );
  });

  it('is about the worst there is: nothing is well while something is not', () => {
    fc.assert(
      fc.property(states, (found) => {
        const { level, code, total } = verdictOf({ tenants: 1, states: found, main: null });
        const trouble = [
          'stalled',
          'unhealthy',
          'unreachable',
          'reconciling',
          'suspended',
          'waiting',
        ] as const;
        const worst = trouble.find((state) => (found[state] ?? 0) > 0);
        const calm = total === 0 ? 'no_agents' : 'all_ready';
        expect(code).toBe(
          worst === undefined ? calm : worst === 'reconciling' ? 'rolling_out' : `some_${worst}`,
        );
        expect(level === 'ok').toBe(worst === undefined && total > 0);
      }),
    );
  });

  it('says how many, why in the agents’ own words, and what to do next', () => {
    const reason = { reason: 'quarantined', message: 'expected sha256 9f86…,\nfound 5feb…', count: 2 };
    expect(verdictOf({ tenants: 1, states: { stalled: 3, ready: 37 }, main: reason }).text).toBe(
      '3 of 40 agents are stalled, 2 of them for quarantined (“expected sha256 9f86…, found 5feb…”): they wait for somebody to mend that, so open one to see what it needs.',
    );
    expect(verdictOf({ tenants: 1, states: { unreachable: 1, ready: 1 }, main: null }).text).toBe(
      '1 of 2 agents has not been heard of for 11 minutes: check that the machine is on and can reach this console.',
    );
    expect(verdictOf({ tenants: 1, states: { ready: 5, revoked: 2 }, main: null }).text).toBe(
      'All 5 agents are ready: nothing needs you.',
    );
    expect(verdictOf({ tenants: 0, states: {}, main: null }).code).toBe('no_tenants');
    expect(verdictOf({ tenants: 2, states: { revoked: 1 }, main: null }).code).toBe('no_agents');
  });
});
