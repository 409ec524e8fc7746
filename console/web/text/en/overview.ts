import type { AgentChange } from '../../../../schemas/console/agent.ts';
import type { Verdict } from '../../../../schemas/console/overview.ts';
import { counted } from '../counted.ts';

const n = counted('en');
const agents = (count: number) => n(count, { one: '# agent', other: '# agents' });

/** `held`: the flows that are held back, as `daily-report` or `7 flows`. */
type Sentence = (count: number, total: number, held: string) => string;
type Advice = (count: number) => string;
type ChangeWords = AgentChange['kind'] | 'stateFirst' | 'versionGone' | 'heldFirst';

export const en = {
  title: 'Overview',
  verdict: {
    no_tenants: () => 'There is no tenant yet.',
    no_agents: () => 'No machine is enrolled yet.',
    all_ready: (_count, total) =>
      total === 1
        ? 'The one agent is ready: nothing needs you.'
        : `All ${agents(total)} are ready: nothing needs you.`,
    some_held: (count, total, held) =>
      `${n(count, { one: `# agent of ${total} holds`, other: `# agents of ${total} hold` })} back ${held}, rolled back by hand.`,
    rolling_out: (count, total) =>
      `${n(count, { one: '# agent is', other: '# agents are' })} on the way to what the branch says, of ${total}.`,
    some_suspended: (count, total) =>
      `${n(count, { one: '# agent is', other: '# agents are' })} suspended, of ${total}.`,
    some_waiting: (count, total) =>
      `${n(count, { one: '# agent has', other: '# agents have' })} never reported since being enrolled, of ${total}.`,
    some_unreachable: (count, total) =>
      `${n(count, { one: '# agent has', other: '# agents have' })} not been heard of for eleven minutes, of ${total}.`,
    some_unhealthy: (count, total) =>
      `${n(count, { one: '# agent has', other: '# agents have' })} an unhealthy flow, of ${total}.`,
    some_stalled: (count, total) =>
      `${n(count, { one: '# agent is stalled and needs', other: '# agents are stalled and need' })} somebody, of ${total}.`,
  } satisfies Record<Verdict['code'], Sentence> as Record<Verdict['code'], Sentence>,
  advice: {
    no_tenants: () => 'Add one in the shell of the console, as below.',
    no_agents: () => 'Make an enrolment token and paste its line on the machine.',
    all_ready: () => '',
    some_held: (count) =>
      count === 1
        ? 'Everything else is as the branch says. Resume it when it may follow the branch again.'
        : 'Everything else is as the branch says. Resume them when they may follow the branch again.',
    rolling_out: (count) => (count === 1 ? 'It goes on by itself.' : 'They go on by themselves.'),
    some_suspended: (count) => `Resume ${count === 1 ? 'it when it' : 'them when they'} may change again.`,
    some_waiting: (count) => `Start the agent on the ${count === 1 ? 'machine' : 'machines'}.`,
    some_unreachable: (count) =>
      count === 1
        ? 'Is the machine on, and can it reach this console?'
        : 'Are the machines on, and can they reach this console?',
    some_unhealthy: () => 'Mend the flow, or roll it back.',
    some_stalled: (count) =>
      `Trying again will not help: open ${count === 1 ? 'it' : 'one'} to see what it needs.`,
  } satisfies Record<Verdict['code'], Advice> as Record<Verdict['code'], Advice>,
  mostSay: (count: number, of: number) => {
    if (of === 1) return 'It says';
    if (count >= of) return 'They say';
    return n(count, { one: 'One of them says', other: '# of them say' });
  },
  show: (count: number): string => (count === 1 ? 'Show it' : 'Show them'),
  states: 'Agents by state',
  facts: 'Now',
  connected: (connected: string, total: string) => `${connected} of ${total}`,
  connectedWord: (_count: number) => 'connected',
  heldWord: (count: number): string => (count === 1 ? 'holds a flow back' : 'hold a flow back'),
  running: 'running',
  queued: 'queued',
  succeeded: (_count: number) => 'succeeded in the last hour',
  failed: (_count: number) => 'failed in the last hour',
  worst: 'Worst first',
  allOfThem: 'All agents',
  noneBad: 'Nothing is wrong',
  noneBadMore: 'Agents that stall, fail their health check or fall silent appear here, the worst first.',
  rollouts: 'On its way',
  noRollouts: 'No release is on its way',
  noRolloutsMore: 'A push to a tenant’s branch appears here within a second, and how far it has got.',
  shares: {
    applied: 'applied',
    held: 'held back',
    reconciling: 'on the way',
    failing: 'failing',
    pending: 'pending',
  },
  rolloutLabel: (applied: number, total: number, held: number) =>
    `${applied} of ${agents(total)} ${applied === 1 || total === 1 ? 'has' : 'have'} applied it${held === 0 ? '' : `, ${held} held back`}`,
  by: (author: string) => `by ${author}`,
  changes: 'What changed in the last hour',
  noChanges: 'Nothing has changed in the last hour',
  noChangesMore: 'Changes of state, of revisions and of versions are listed here, like ones in one line.',
  fewer: 'Show fewer',
  showMore: (count: number) => `Show ${count} more`,
  who: (names: string, count: number, shown: number) =>
    count > shown ? `${names} and ${agents(count - shown)} more` : names,
  /** Between who and what of a change. */
  between: ' ',
  change: {
    state: 'went from $from to $to',
    stateFirst: 'became $to',
    revision: 'applied $to',
    version: 'activated $flow $to',
    versionGone: 'let go of $flow $from',
    held: 'rolled $flow back to $to',
    heldFirst: 'holds $flow at $to',
    released: 'follows the branch again with $flow',
    suspended: 'was suspended',
    resumed: 'was resumed',
    enrolled: 'was enrolled',
    revoked: 'was revoked',
    connected: 'opened the tunnel',
    disconnected: 'lost the tunnel',
  } satisfies Record<ChangeWords, string> as Record<ChangeWords, string>,
  start: {
    title: 'Three steps to the first machine',
    tenant: 'Add a tenant with its root of trust',
    publish: 'Push its first signed release',
    enrol: 'Enrol a machine',
    enrolAction: 'Make an enrolment token',
    tenantMore: 'In the shell of the console. It prints the git address and the publisher’s token.',
    publishMore: 'To the branch tenant/<slug>, with the publisher’s token as the password.',
    enrolMore: 'The page shows the one line to paste, and the machine appears here by itself.',
  },
};
