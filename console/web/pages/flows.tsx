import type { FlowRow, FlowSort } from '../../../schemas/console/release.ts';
import { useFlows } from '../api/queries.ts';
import { useParameters, useTenant } from '../frame/address.ts';
import { Badge } from '../parts/badge.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Empty } from '../parts/note.tsx';
import { Page } from '../parts/page.tsx';
import { Pager, SearchBox, TableTools } from '../parts/table-tools.tsx';
import { Time } from '../parts/time.tsx';
import { VersionBar } from '../parts/version-bar.tsx';
import '../style/flows.css';
import { en } from '../text/en/flows.ts';
import { useFormat } from '../text/format.ts';
import { fr } from '../text/fr/flows.ts';
import { useText } from '../text/language.tsx';
import { useWords } from '../text/words.ts';

const PAGE = 50;
const SORTS: readonly FlowSort[] = ['flow', 'agents', 'unhealthy', 'failed'];

/** Every automation, and which versions of it run where. */
export default function Flows() {
  const text = useText({ en, fr });
  const words = useWords();
  const [parameters, set] = useParameters();
  const tenant = useTenant() ?? undefined;
  const q = parameters.get('q') ?? '';
  const offset = Number(parameters.get('offset') ?? 0) || 0;
  const by = SORTS.find((each) => each === parameters.get('sort')) ?? 'flow';
  const order = parameters.get('order') === 'desc' ? 'desc' : 'asc';
  const { data, error, isPlaceholderData, refetch } = useFlows({
    tenant,
    q,
    sort: by,
    order,
    limit: PAGE,
    offset,
  });
  const columns = useColumns(tenant === undefined);
  return (
    <Page title={text.title} lead={text.lead}>
      <TableTools>
        <SearchBox
          label={text.search}
          value={q}
          onSearch={(next) => set({ q: next, offset: null }, { replace: true })}
        />
      </TableTools>
      <DataTable<FlowRow>
        caption={text.title}
        columns={columns}
        rows={data?.flows}
        rowId={({ tenant: slug, flow }) => `${slug} ${flow}`}
        rowPath={({ tenant: slug, flow }) => `/flows/${slug}/${flow}`}
        sort={{ by, order }}
        onSort={(sort) => set({ sort: sort.by, order: sort.order, offset: null })}
        stale={isPlaceholderData}
        fault={error}
        onRetry={() => void refetch()}
        empty={
          <Empty icon="flows" title={q === '' ? text.none : words.table.nothingMatches}>
            {q === '' ? text.noneMore : words.table.nothingMatchesMore}
          </Empty>
        }
        foot={
          <Pager
            offset={offset}
            limit={PAGE}
            total={data?.total ?? 0}
            onOffset={(next) => set({ offset: next === 0 ? null : next })}
          />
        }
      />
    </Page>
  );
}

function useColumns(withTenant: boolean): Column<FlowRow>[] {
  const text = useText({ en, fr });
  const format = useFormat();
  return [
    {
      id: 'flow',
      title: text.column.flow,
      sort: 'flow',
      card: 'title',
      cell: ({ flow, tenant }) => (
        <span class="flow-name">
          <span class="one-line" title={flow}>
            {flow}
          </span>
          {withTenant ? <span class="quiet small">{tenant}</span> : null}
        </span>
      ),
    },
    {
      id: 'runtime',
      title: text.column.runtime,
      tight: true,
      hideMedium: true,
      cell: ({ runtime }) => runtime ?? '–',
    },
    {
      id: 'versions',
      title: text.column.versions,
      wide: true,
      cell: (flow) => (
        <div class="flow-versions">
          <VersionBar flow={flow} />
        </div>
      ),
    },
    {
      id: 'agents',
      title: text.column.agents,
      sort: 'agents',
      number: true,
      tight: true,
      cell: ({ agents }) => format.number(agents),
    },
    {
      id: 'health',
      title: text.column.health,
      sort: 'unhealthy',
      tight: true,
      cell: ({ unhealthy }) =>
        unhealthy === 0 ? (
          <Badge tone="ok" icon="ready" plain>
            {text.allHealthy}
          </Badge>
        ) : (
          <Badge tone="bad" icon="unhealthy" plain>
            {text.unhealthy(unhealthy)}
          </Badge>
        ),
    },
    {
      id: 'runs',
      title: text.column.runs,
      sort: 'failed',
      tight: true,
      hideMedium: true,
      cell: ({ runs }) =>
        runs.succeeded + runs.failed === 0 ? (
          <span class="quiet">{text.noRuns}</span>
        ) : (
          text.runsOf(format.number(runs.succeeded), format.number(runs.failed))
        ),
    },
    {
      id: 'last',
      title: text.column.last,
      tight: true,
      cell: ({ last_run: last }) => <Time at={last?.at ?? null} />,
    },
  ];
}
