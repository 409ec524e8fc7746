import type { AgentState } from '../../schemas/console/agent.ts';
import type { HeldBack, Verdict } from '../../schemas/console/overview.ts';

export interface Facts {
  /** Tenants that whoever asks may see. */
  readonly tenants: number;
  /** Agents by state, those of which there is none may be left out. */
  readonly states: Partial<Readonly<Record<AgentState, number>>>;
  /** What agents in `decidingState` say, the most frequent reason; null when they say nothing. */
  readonly main: Verdict['main'];
  readonly held: HeldBack;
}

type Said = Pick<Verdict, 'level' | 'code'> & {
  readonly be: (count: number) => string;
  /** What to do next; follows the colon. */
  readonly advice: (count: number) => string;
};

const SAID: Readonly<Record<Exclude<AgentState, 'ready' | 'revoked'>, Said>> = {
  stalled: {
    level: 'bad',
    code: 'some_stalled',
    be: (count) => `${are(count)} stalled`,
    advice: (count) =>
      count === 1
        ? 'it waits for somebody to mend that, so open it to see what it needs'
        : 'they wait for somebody to mend that, so open one to see what it needs',
  },
  unhealthy: {
    level: 'bad',
    code: 'some_unhealthy',
    be: (count) => `${have(count)} a flow that is unhealthy`,
    advice: (count) => `open ${one(count)} to read why, then mend the flow or roll it back`,
  },
  unreachable: {
    level: 'attention',
    code: 'some_unreachable',
    be: (count) => `${have(count)} not been heard of for 11 minutes`,
    advice: (count) =>
      `check that the ${count === 1 ? 'machine is' : 'machines are'} on and can reach this console`,
  },
  reconciling: {
    level: 'busy',
    code: 'rolling_out',
    be: (count) => `${are(count)} not ready yet`,
    advice: (count) =>
      count === 1
        ? 'it goes on by itself, so look again in a minute, and open it if it stays so'
        : 'they go on by themselves, so look again in a minute, and open one if their number does not fall',
  },
  suspended: {
    level: 'attention',
    code: 'some_suspended',
    be: (count) => `${are(count)} suspended`,
    advice: (count) => `resume ${count === 1 ? 'it when it' : 'them when they'} may change again`,
  },
  waiting: {
    level: 'attention',
    code: 'some_waiting',
    be: (count) => `${have(count)} never reported since being enrolled`,
    advice: (count) => `start the agent on ${count === 1 ? 'the machine' : 'the machines'}`,
  },
};

const BY_WEIGHT = Object.keys(SAID) as (keyof typeof SAID)[];
const QUOTED_MAX = 200;

/** The state that the sentence is about: the worst that there is; null when all is well, or nothing is there. */
export function decidingState(states: Facts['states']): keyof typeof SAID | null {
  return BY_WEIGHT.find((state) => (states[state] ?? 0) > 0) ?? null;
}

/**
 * The fleet in one sentence: how many, why in the agents' own words, and what to do next; and one more where agents hold a flow back,
 * as that is forgotten most easily while something else is worse. Pure.
 */
export function verdictOf({ tenants, states, main, held }: Facts): Verdict {
  const total = Object.entries(states).reduce(
    (sum, [state, agents]) => sum + (state === 'revoked' ? 0 : agents),
    0,
  );
  const nothing = { level: 'empty', count: 0, total, main: null } as const;
  if (tenants === 0) {
    const text =
      'There is no tenant to show yet: add one with edge-console tenant add <slug> --root <file>, or ask for access to one.';
    return { ...nothing, code: 'no_tenants', text };
  }
  if (total === 0) {
    const text = 'No agent is enrolled yet: make an enrolment token and paste its line on a machine.';
    return { ...nothing, code: 'no_agents', text };
  }
  const state = decidingState(states);
  if (state === null && held.agents > 0) {
    const count = held.agents;
    const text = `${count} of ${total} ${total === 1 ? 'agent' : 'agents'} ${holdBack(held)}, rolled back by hand: resume ${count === 1 ? 'it when it' : 'them when they'} may follow the branch again.`;
    return { level: 'calm', code: 'some_held', count, total, main: null, text };
  }
  if (state === null) {
    const whose = total === 1 ? 'The one agent is' : `All ${total} agents are`;
    const text = `${whose} ready: nothing needs you.`;
    return { level: 'ok', code: 'all_ready', count: total, total, main: null, text };
  }
  const count = states[state] ?? 0;
  const { level, code, be, advice } = SAID[state];
  const text = `${count} of ${total} ${total === 1 ? 'agent' : 'agents'} ${be(count)}${why(main, count)}: ${advice(count)}.${besides(held)}`;
  return { level, code, count, total, main, text };
}

/** "holds back daily-report", "hold back 7 flows". */
function holdBack({ agents, flows, names }: HeldBack): string {
  const and = new Intl.ListFormat('en', { type: 'conjunction' });
  const what = flows === names.length ? and.format(names) : `${flows} flows`;
  return `${agents === 1 ? 'holds' : 'hold'} back ${what}`;
}

function besides(held: HeldBack): string {
  return held.agents === 0
    ? ''
    : ` ${held.agents} ${held.agents === 1 ? 'agent' : 'agents'} ${holdBack(held)}.`;
}

function why(main: Verdict['main'], count: number): string {
  if (main === null) return '';
  const who = main.count >= count ? '' : `${main.count} of them `;
  return `, ${who}for ${plain(main.reason)} (“${plain(main.message)}”)`;
}

/** What agents write is quoted on one line. */
function plain(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  const characters = Array.from(line);
  return characters.length <= QUOTED_MAX ? line : `${characters.slice(0, QUOTED_MAX - 1).join('')}…`;
}

function are(count: number): string {
  return count === 1 ? 'is' : 'are';
}

function have(count: number): string {
  return count === 1 ? 'has' : 'have';
}

function one(count: number): string {
  return count === 1 ? 'it' : 'one';
}
