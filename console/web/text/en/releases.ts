import { counted } from '../counted.ts';

const n = counted('en');

export const en = {
  title: 'Releases',
  lead: 'A release is a signed commit on a tenant’s branch. Every agent of the tenant goes there, each at its own time.',
  search: 'Subject, author, revision',
  column: {
    commit: 'Commit',
    revision: 'Revision',
    tenant: 'Tenant',
    seq: 'Seq',
    progress: 'Progress',
    applied: 'Applied',
    seen: 'First seen',
  },
  newest: 'Newest',
  noCommit: 'Commit not known here',
  applied: (applied: string, total: string) => `${applied} of ${total}`,
  heldBack: (count: number) => n(count, { one: '# held back', other: '# held back' }),
  replaced: 'Replaced everywhere',
  none: 'Nothing has been released yet',
  noneMore: 'Push a signed release to the tenant’s branch: it appears here within a second.',
  one: {
    verdict: {
      everywhere: (total: number) =>
        n(total, { one: 'The one agent has applied it.', other: 'All # agents have applied it.' }),
      held: (applied: number, held: number, total: number) =>
        `${applied} of ${n(total, { one: '# agent', other: '# agents' })} ${applied === 1 || total === 1 ? 'has' : 'have'} applied it, ${held} ${held === 1 ? 'holds' : 'hold'} a flow of it back.`,
      on_its_way: (applied: number, total: number) =>
        `${applied} of ${n(total, { one: '# agent', other: '# agents' })} have applied it; it goes on.`,
      failing: (failing: number, total: number) =>
        `${n(failing, { one: '# agent', other: '# agents' })} of ${total} cannot apply it.`,
      pending: (pending: number, total: number) =>
        `${n(pending, { one: '# agent has', other: '# agents have' })} not been heard of with it, of ${total}.`,
      older: (applied: number) =>
        applied === 0
          ? 'No agent runs it any more.'
          : `A newer release has followed; ${n(applied, { one: '# agent still runs', other: '# agents still run' })} it.`,
      nobody: 'The tenant has no agents.',
    },
    manifest: 'What it says',
    manifestNone:
      'The console cannot read its manifest: the tenant’s git lies elsewhere, or the commit is gone.',
    flow: 'Flow',
    version: 'Version',
    digest: 'Digest',
    runtime: 'Runtime',
    schedule: 'Schedule',
    problems: 'Why it fails',
    problemsMore: 'In the agents’ own words, the most frequent first.',
    showFailing: 'Show these agents',
    progress: 'Applied over time',
    progressNone: 'No agent has applied it yet.',
    progressLabel: (reached: number) =>
      `Over time, ${n(reached, { one: '# agent has', other: '# agents have' })} had it`,
    reached: (reached: number) => n(reached, { one: '# agent has had it', other: '# agents have had it' }),
    agents: 'Agents',
    withIt: 'Agents that have applied it',
    holding: 'Agents that hold a flow back',
    heldMore: 'Somebody rolled it back by hand there. A newer version of the flow, or Resume, ends that.',
    stalled: 'Agents that cannot',
    silent: 'Agents that are silent',
    commit: 'Commit',
    author: 'Author',
    time: 'Committed',
    seen: 'First seen here',
    seq: 'Sequence number',
  },
};
