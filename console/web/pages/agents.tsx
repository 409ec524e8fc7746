import { useEffect, useState } from 'preact/hooks';
import type { AgentRow, AgentsAnswer } from '../../../schemas/console/agent.ts';
import { useAsking } from '../actions/use-asking.tsx';
import { useAgents } from '../api/queries.ts';
import { useParameters, useTenant } from '../frame/address.ts';
import { AGENT_LOOK } from '../parts/badge.tsx';
import { DataTable, type Sort } from '../parts/data-table.tsx';
import { Link } from '../parts/link.tsx';
import { Empty } from '../parts/note.tsx';
import { Page } from '../parts/page.tsx';
import { sameNamed } from '../parts/same-name.tsx';
import { NOTHING_SELECTED, type Selection } from '../parts/selection.ts';
import { Pager } from '../parts/table-tools.tsx';
import { type Tile, Tiles } from '../parts/tiles.tsx';
import '../style/agents.css';
import { en } from '../text/en/agents.ts';
import { fr } from '../text/fr/agents.ts';
import { useText } from '../text/language.tsx';
import { useWords } from '../text/words.ts';
import { ChosenActions } from './agents/chosen-actions.tsx';
import { useColumns } from './agents/columns.tsx';
import { AgentFilters } from './agents/filters.tsx';
import { filterIn, SORTS } from './agents/query.ts';

const PAGE = 50;
const STATES = Object.keys(AGENT_LOOK) as (keyof typeof AGENT_LOOK)[];

/** Every machine there is: found, filtered, sorted and chosen at the server. */
export default function Agents() {
  const text = useText({ en, fr });
  const [parameters, set] = useParameters();
  const tenant = useTenant();
  const filter = filterIn(parameters);
  const sort = sortIn(parameters);
  const offset = Number(parameters.get('offset') ?? 0) || 0;
  const query = { ...filter, sort: sort.by, order: sort.order, limit: PAGE, offset };
  const { data, error, isPlaceholderData, refetch } = useAgents(query);
  const [selection, setSelection] = useState<Selection>(NOTHING_SELECTED);
  const columns = useColumns(tenant === null, sameNamed(data?.agents ?? []));
  const [dialog, ask] = useAsking(() => setSelection(NOTHING_SELECTED));
  const filtered = JSON.stringify(filter);
  // What was chosen under another filter would be acted on unseen.
  useEffect(() => setSelection(NOTHING_SELECTED), [filtered]);

  return (
    <Page title={text.title} lead={text.lead}>
      <StateTiles
        answer={data}
        pressed={filter.state ?? []}
        onPress={(state) => set({ state, offset: null })}
      />
      <AgentFilters />
      <ChosenActions
        selection={selection}
        filter={filter}
        rows={data?.agents ?? []}
        total={data?.total ?? 0}
        tenant={tenant}
        onSelect={setSelection}
        onAsk={ask}
      />
      <DataTable<AgentRow>
        caption={text.title}
        columns={columns}
        rows={data?.agents}
        rowId={(agent) => agent.agent_id}
        rowName={(agent) => agent.hostname}
        rowPath={(agent) => `/agents/${agent.agent_id}`}
        sort={sort}
        onSort={({ by, order }) => set({ sort: by, order, offset: null })}
        selection={selection}
        onSelect={setSelection}
        stale={isPlaceholderData}
        fault={error}
        onRetry={() => void refetch()}
        bones={12}
        empty={<NoAgents filtered={filtered !== '{}'} onClear={() => set(nothing(parameters))} />}
        foot={
          <Pager
            offset={offset}
            limit={PAGE}
            total={data?.total ?? 0}
            onOffset={(next) => set({ offset: next === 0 ? null : next })}
          />
        }
      />
      {dialog}
    </Page>
  );
}

function sortIn(parameters: URLSearchParams): Sort & { by: (typeof SORTS)[number] } {
  const by = SORTS.find((each) => each === parameters.get('sort')) ?? 'state';
  const order = parameters.get('order') === 'desc' ? 'desc' : 'asc';
  return { by, order };
}

/** Takes every parameter away but the tenant. */
function nothing(parameters: URLSearchParams): Record<string, null> {
  return Object.fromEntries(
    [...parameters.keys()].filter((name) => name !== 'tenant').map((name) => [name, null]),
  );
}

/** The states are filters, with how many there are of each under the other filters; several may be chosen. */
function StateTiles(props: {
  answer: AgentsAnswer | undefined;
  pressed: readonly string[];
  onPress: (states: string[]) => void;
}) {
  const text = useText({ en, fr });
  const words = useWords();
  const tiles = STATES.map(
    (state): Tile => ({
      id: state,
      word: words.state[state],
      count: props.answer?.states[state] ?? 0,
      ...AGENT_LOOK[state],
      title: words.stateMeans[state],
    }),
  );
  const press = (state: string) => {
    const { pressed } = props;
    props.onPress(pressed.includes(state) ? pressed.filter((each) => each !== state) : [...pressed, state]);
  };
  return <Tiles label={text.states} tiles={tiles} pressed={props.pressed} onPress={press} />;
}

function NoAgents({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  const text = useText({ en, fr });
  const words = useWords();
  if (filtered)
    return (
      <Empty
        icon="search"
        title={words.table.nothingMatches}
        action={
          <button type="button" class="button" onClick={onClear}>
            {words.table.clearFilters}
          </button>
        }
      >
        {words.table.nothingMatchesMore}
      </Empty>
    );
  return (
    <Empty
      icon="agents"
      title={text.none}
      action={
        <Link class="button is-main" to="/tokens">
          {text.enrol}
        </Link>
      }
    >
      {text.noneMore}
    </Empty>
  );
}
