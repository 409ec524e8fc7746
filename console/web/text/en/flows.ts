import { counted } from '../counted.ts';

const n = counted('en');

export const en = {
  title: 'Flows',
  lead: 'A flow is one automation of a tenant. Its versions reach the agents with releases.',
  search: 'Flow',
  column: {
    flow: 'Flow',
    tenant: 'Tenant',
    runtime: 'Runtime',
    versions: 'Which versions run',
    agents: 'Agents',
    health: 'Health',
    runs: 'Runs of a day',
    last: 'Last run',
  },
  /** Of the agents on which a version is active, those where somebody rolled back to it by hand. */
  held: (count: number) => n(count, { one: '# held by hand', other: '# held by hand' }),
  more: (count: number) => `+${count}`,
  unhealthy: (count: number) => n(count, { one: '# unhealthy', other: '# unhealthy' }),
  allHealthy: 'All healthy',
  runsOf: (succeeded: number, failed: number) =>
    `${n(succeeded, { one: '# ok', other: '# ok' })}, ${n(failed, { one: '# failed', other: '# failed' })}`,
  noRuns: 'none',
  none: 'No flow is on any agent yet',
  noneMore: 'Name flows in the manifest, sign and push: they appear here as agents take them.',
  one: {
    run: 'Run',
    rollback: 'Roll back everywhere',
    versions: 'Which agents run which version',
    version: 'Version',
    active: 'Active on',
    desired: 'Wanted on',
    share: 'Share',
    show: 'Show these agents',
    showHeld: (count: number) =>
      n(count, { one: '# was rolled back by hand', other: '# were rolled back by hand' }),
    runs: 'Last runs',
    allRuns: 'All runs of this flow',
    noRuns: 'It has not run yet',
    noRunsMore: 'Runs appear here as they are asked for.',
    agents: (count: number) => n(count, { one: '# agent', other: '# agents' }),
    facts: 'Facts',
    whichAgent: 'Choose the agent in the list of those that have it.',
  },
};
