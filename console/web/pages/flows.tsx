import type { FlowRow, FlowSort } from '../../../schemas/console/release.ts';
import { useFlows } from '../api/queries.ts';
import { useParameters } from '../frame/address.ts';
import { Badge } from '../parts/badge.tsx';
import type { Column } from '../parts/data-table.tsx';
import { SearchedList, useSearched } from '../parts/searched-list.tsx';
import { Time } from '../parts/time.tsx';
import { VersionBar } from '../parts/version-bar.tsx';
import '../style/flows.css';
import { en } from '../text/en/flows.ts';
import { useFormat } from '../text/format.ts';
import { fr } from '../text/fr/flows.ts';
import { useText } from '../text/language.tsx';

const SORTS: readonly FlowSort[] = ['flow', 'agents', 'unhealthy', 'failed'];

/** Every automation, and which versions of it run where. */
export default function Flows() {
  const text = useText({ en, fr });
  const [parameters] = useParameters();
  const asked = useSearched();
  const by = SORTS.find((each) => each === parameters.get('sort')) ?? 'flow';
  const order = parameters.get('order') === 'desc' ? 'desc' : 'asc';
  const answer = useFlows({ ...asked, sort: by, order });
  return (
    <SearchedList<FlowRow>
      text={text}
      icon="flows"
      answer={answer}
      rows={answer.data?.flows}
      total={answer.data?.total}
      columns={useColumns(asked.tenant === undefined)}
      rowId={({ tenant, flow }) => `${tenant} ${flow}`}
      rowPath={({ tenant, flow }) => `/flows/${tenant}/${flow}`}
      sort={{ by, order }}
    />
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
      hideMedium: true,
      cell: ({ runs }) =>
        runs.succeeded + runs.failed === 0 ? (
          <span class="quiet">{text.noRuns}</span>
        ) : (
          text.runsOf(runs.succeeded, runs.failed)
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
