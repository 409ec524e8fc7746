import { expect, it } from 'vitest';
import { createLiveFeed, feedFromNotices } from '../../../console/live/live-feed.ts';
import { createNotices, type Notices } from '../../../console/notices.ts';
import type { LiveChange } from '../../../schemas/console/live.ts';
import { runReport } from '../running-console.ts';

const OF = { tenant: 'acme', agent_id: 'a1' };
const QUIET = { flows: false, releases: false, events: false, commands: false, audit: false, tokens: false };
const UNCHANGED = { state: false, flows: false, revisions: false };
const STATUS = {} as never;
const RUN = { run_id: 'r1', attempt: 1 };
const COMMAND = { command_id: 'c1', state: 'queued' } as const;

type Told = Partial<Omit<LiveChange, 'time'>>;

const CASES: readonly [string, (notices: Notices) => void, Told][] = [
  ['a push', ({ push }) => push.publish({ tenant: 'acme', commit: null }), { agents: [], releases: true }],
  [
    'an enrolment',
    ({ enrol }) => enrol.publish({ ...OF, answer: {} as never }),
    { tokens: true, audit: true, flows: true },
  ],
  [
    'a report of a run',
    ({ notify }) => notify.publish({ ...OF, report: runReport({ run_id: 'r1' }) }),
    { runs: ['r1'], flows: true },
  ],
  ['a status', ({ status }) => status.publish({ ...OF, status: STATUS, changed: UNCHANGED }), {}],
  [
    'a status that moves flows',
    ({ status }) => status.publish({ ...OF, status: STATUS, changed: { ...UNCHANGED, flows: true } }),
    { flows: true, releases: true },
  ],
  [
    'a status that is at another revision',
    ({ status }) => status.publish({ ...OF, status: STATUS, changed: { ...UNCHANGED, revisions: true } }),
    { releases: true },
  ],
  ['events', ({ events }) => events.publish({ ...OF, events: [] }), { events: true }],
  ['who comes', ({ tunnel }) => tunnel.publish({ ...OF, session: 's', state: 'connected' }), {}],
  [
    'a copied machine',
    ({ identity }) => identity.publish({ ...OF, action: 'identity_conflict', message: '' }),
    { audit: true },
  ],
  ['a command', ({ command }) => command.publish({ ...OF, ...COMMAND }), { commands: true, audit: true }],
  ['a run', ({ run }) => run.publish({ ...OF, ...RUN, state: 'running' }), { runs: ['r1'] }],
];

it.concurrent.each(CASES)(
  'pages are told of %s, and of what it changes alone',
  async (_, publish, expected) => {
    const feed = createLiveFeed(() => new Date());
    const notices = createNotices((error) => {
      throw error;
    });
    feedFromNotices(feed, notices);
    const told: Told[] = [];
    feed.subscribe(['acme'], ({ time: _time, ...change }) => told.push(change));
    publish(notices);
    await expect
      .poll(() => told, { interval: 10 })
      .toEqual([{ agents: ['a1'], runs: [], ...QUIET, ...expected }]);
    feed.close();
  },
);
