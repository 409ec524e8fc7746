import type { Overview as OverviewAnswer } from '../../../schemas/console/overview.ts';
import type { Query } from '../api/client.ts';
import { useOverview } from '../api/queries.ts';
import { useTenant } from '../frame/address.ts';
import { AGENT_LOOK } from '../parts/badge.tsx';
import { Verbatim } from '../parts/copied.tsx';
import { Link } from '../parts/link.tsx';
import { Bones, FaultNote } from '../parts/note.tsx';
import { Card, Page } from '../parts/page.tsx';
import { type Tile, Tiles } from '../parts/tiles.tsx';
import { VerdictBanner } from '../parts/verdict.tsx';
import '../style/overview.css';
import { en } from '../text/en/overview.ts';
import { useFormat } from '../text/format.ts';
import { fr } from '../text/fr/overview.ts';
import { useText } from '../text/language.tsx';
import { useWords } from '../text/words.ts';
import { ChangesCard } from './overview/changes.tsx';
import { FirstSteps } from './overview/first-steps.tsx';
import { HeldLine, useHeldFlows } from './overview/held.tsx';
import { RolloutsCard } from './overview/rollouts.tsx';
import { WorstCard } from './overview/worst.tsx';

const STATES = Object.keys(AGENT_LOOK) as (keyof typeof AGENT_LOOK)[];
/** The state that a sentence is about, for the way to those agents. */
const ABOUT: Partial<Record<OverviewAnswer['verdict']['code'], keyof typeof AGENT_LOOK>> = {
  rolling_out: 'reconciling',
  some_suspended: 'suspended',
  some_waiting: 'waiting',
  some_unreachable: 'unreachable',
  some_unhealthy: 'unhealthy',
  some_stalled: 'stalled',
};

/** What an operator keeps open all day: is everything all right, if not what exactly, and what has changed. */
export default function Overview() {
  const text = useText({ en, fr });
  const { data, error, refetch } = useOverview(useTenant());
  if (data === undefined) {
    return (
      <Page title={text.title}>
        {error === null ? <Waiting /> : <FaultNote fault={error} onRetry={() => void refetch()} />}
      </Page>
    );
  }
  const isNew = data.verdict.level === 'empty';
  return (
    <Page title={text.title}>
      <Sentence verdict={data.verdict} held={data.held} />
      {isNew ? <FirstSteps code={data.verdict.code} /> : null}
      <States states={data.states} />
      {isNew ? null : <Now overview={data} />}
      {isNew ? null : (
        <div class="overview">
          <WorstCard agents={data.worst} />
          <RolloutsCard releases={data.rollouts} />
          <ChangesCard changes={data.changes} />
        </div>
      )}
    </Page>
  );
}

function Sentence({ verdict, held }: Pick<OverviewAnswer, 'verdict' | 'held'>) {
  const text = useText({ en, fr });
  const format = useFormat();
  const flows = useHeldFlows(held);
  const { level, code, count, total, main } = verdict;
  const state = ABOUT[code];
  const query = code === 'some_held' ? { held: 'yes' } : { state };
  const advice = text.advice[code](count);
  return (
    <VerdictBanner
      level={level}
      text={text.verdict[code](count, total, flows)}
      side={
        state === undefined && code !== 'some_held' ? undefined : (
          <Link class="button" to="/agents" query={query}>
            {text.show(count)}
          </Link>
        )
      }
    >
      {main === null ? null : (
        <p>
          {text.mostSay(main.count, count)} <strong>{main.reason}</strong>
          {format.colon}
          <Verbatim>{main.message}</Verbatim>
        </p>
      )}
      {advice === '' ? null : <p class="quiet">{advice}</p>}
      {code === 'some_held' ? null : <HeldLine held={held} />}
    </VerdictBanner>
  );
}

function States({ states }: { states: OverviewAnswer['states'] }) {
  const text = useText({ en, fr });
  const words = useWords();
  const tiles = STATES.map(
    (state): Tile => ({
      id: state,
      word: words.state[state],
      count: states[state],
      ...AGENT_LOOK[state],
      title: words.stateMeans[state],
      to: { path: '/agents', query: { state } },
    }),
  );
  return <Tiles label={text.states} tiles={tiles} />;
}

interface Figure {
  readonly word: string;
  readonly value: string;
  readonly to: string;
  readonly query: Query;
  readonly bad?: boolean;
}

/** Tunnels, holds and runs, one line: each number is the way to its list. */
function Now({ overview }: { overview: OverviewAnswer }) {
  const text = useText({ en, fr });
  const format = useFormat();
  const { runs, connected, held, total, time } = overview;
  const hourAgo = new Date(Date.parse(time) - 3_600_000).toISOString();
  const figures: readonly Figure[] = [
    {
      word: text.connectedWord(connected),
      value: text.connected(format.number(connected), format.number(total)),
      to: '/agents',
      query: { tunnel: 'connected' },
    },
    ...(held.agents === 0
      ? []
      : [
          {
            word: text.heldWord(held.agents),
            value: format.number(held.agents),
            to: '/agents',
            query: { held: 'yes' },
          },
        ]),
    { word: text.running, value: format.number(runs.running), to: '/runs', query: { state: 'running' } },
    { word: text.queued, value: format.number(runs.queued), to: '/runs', query: { state: 'queued' } },
    {
      word: text.succeeded(runs.succeeded),
      value: format.number(runs.succeeded),
      to: '/runs',
      query: { state: 'succeeded', since: hourAgo },
    },
    {
      word: text.failed(runs.failed),
      value: format.number(runs.failed),
      to: '/runs',
      query: { state: 'failed,timed_out,lost', since: hourAgo },
      bad: runs.failed > 0,
    },
  ];
  return (
    <nav class="figures" aria-label={text.facts}>
      {figures.map(({ word, value, to, query, bad }) => (
        <Link key={word} to={to} query={query} class={bad === true ? 'figure is-bad' : 'figure'}>
          <strong>{value}</strong> <span>{word}</span>
        </Link>
      ))}
    </nav>
  );
}

function Waiting() {
  const text = useText({ en, fr });
  return (
    <>
      <div class="bone-verdict">
        <Bones lines={1} block />
      </div>
      <div class="overview">
        <Card title={text.worst}>
          <Bones lines={8} />
        </Card>
        <Card title={text.rollouts}>
          <Bones lines={4} />
        </Card>
        <Card title={text.changes}>
          <Bones lines={8} />
        </Card>
      </div>
    </>
  );
}
