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

const NONE: Facts['held'] = { agents: 0, flows: 0, names: [] };
const holds = fc.constantFrom<Facts['held']>(
  NONE,
  { agents: 1, flows: 1, names: ['daily-report'] },
  { agents: 3, flows: 7, names: ['crm-sync', 'daily-report', 'stock-api'] },
);

describe('the verdict', () => {
  it('is one line and one sentence with the number it is about, whatever agents say', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 }), states, main, holds, (tenants, found, reason, held) => {
        const verdict = verdictOf({ tenants, states: found, main: reason, held });
        expect(Verdict.safeParse(verdict).success).toBe(true);
        expect(verdict.text).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(verdict.text.endsWith('.')).toBe(true);
        expect(Array.from(verdict.text).length).toBeLessThan(700);
        const most = verdict.code === 'some_held' ? held.agents : verdict.total;
        expect(verdict.count).toBeLessThanOrEqual(most);
        const { revoked: _revoked, ...counted } = found;
        expect(verdict.total).toBe(Object.values(counted).reduce((sum, agents) => sum + agents, 0));
        const isNumbered = verdict.level !== 'empty' && verdict.level !== 'ok';
        expect(verdict.text.includes(`${verdict.count} of ${verdict.total} `)).toBe(isNumbered);
      }),
    );
  });

  it('is about the worst there is: nothing is well while something is not', () => {
    fc.assert(
      fc.property(states, holds, (found, held) => {
        const { level, code, total } = verdictOf({ tenants: 1, states: found, main: null, held });
        const trouble = [
          'stalled',
          'unhealthy',
          'unreachable',
          'reconciling',
          'suspended',
          'waiting',
        ] as const;
        const worst = trouble.find((state) => (found[state] ?? 0) > 0);
        const calm = total === 0 ? 'no_agents' : held.agents > 0 ? 'some_held' : 'all_ready';
        expect(code).toBe(
          worst === undefined ? calm : worst === 'reconciling' ? 'rolling_out' : `some_${worst}`,
        );
        expect(level === 'ok').toBe(worst === undefined && total > 0 && held.agents === 0);
      }),
    );
  });

  it('says how many, why in the agents’ own words, and what to do next', () => {
    const reason = { reason: 'quarantined', message: 'expected sha256 9f86…,\nfound 5feb…', count: 2 };
    expect(verdictOf({ tenants: 1, states: { stalled: 3, ready: 37 }, main: reason, held: NONE }).text).toBe(
      '3 of 40 agents are stalled, 2 of them for quarantined (“expected sha256 9f86…, found 5feb…”): they wait for somebody to mend that, so open one to see what it needs.',
    );
    expect(verdictOf({ tenants: 1, states: { unreachable: 1, ready: 1 }, main: null, held: NONE }).text).toBe(
      '1 of 2 agents has not been heard of for 11 minutes: check that the machine is on and can reach this console.',
    );
    expect(verdictOf({ tenants: 1, states: { ready: 5, revoked: 2 }, main: null, held: NONE }).text).toBe(
      'All 5 agents are ready: nothing needs you.',
    );
    expect(verdictOf({ tenants: 0, states: {}, main: null, held: NONE }).code).toBe('no_tenants');
    expect(verdictOf({ tenants: 2, states: { revoked: 1 }, main: null, held: NONE }).code).toBe('no_agents');
  });

  it('never says that nothing needs somebody while a flow is held back by hand', () => {
    const text = (found: Facts['states'], held: Facts['held']) =>
      verdictOf({ tenants: 1, states: found, main: null, held }).text;
    const one = { agents: 1, flows: 1, names: ['daily-report'] };
    const more = { agents: 3, flows: 7, names: ['crm-sync', 'daily-report', 'stock-api'] };
    expect(text({ ready: 5 }, one)).toBe(
      '1 of 5 agents holds back daily-report, rolled back by hand: resume it when it may follow the branch again.',
    );
    expect(text({ ready: 5 }, { agents: 2, flows: 2, names: ['crm-sync', 'daily-report'] })).toBe(
      '2 of 5 agents hold back crm-sync and daily-report, rolled back by hand: resume them when they may follow the branch again.',
    );
    expect(text({ ready: 4, suspended: 1 }, one)).toBe(
      '1 of 5 agents is suspended: resume it when it may change again. 1 agent holds back daily-report.',
    );
    expect(text({ ready: 4, suspended: 1 }, more)).toMatch(/ 3 agents hold back 7 flows\.$/);
    const { level, code, count } = verdictOf({ tenants: 1, states: { ready: 5 }, main: null, held: one });
    expect([level, code, count]).toEqual(['calm', 'some_held', 1]);
  });
});
