import type { FlowRow } from '../../../schemas/console/release.ts';
import { useAsking } from '../actions/use-asking.tsx';
import { useFlow, useRuns } from '../api/queries.ts';
import { useMay } from '../api/session.ts';
import type { PageParameters } from '../frame/lazy-page.tsx';
import { Badge } from '../parts/badge.tsx';
import { Button } from '../parts/button.tsx';
import { Version } from '../parts/copied.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Link } from '../parts/link.tsx';
import { Bones, Empty, FaultNote } from '../parts/note.tsx';
import { Card, Facts, Page } from '../parts/page.tsx';
import { RunsTable } from '../parts/runs-table.tsx';
import { VersionBar } from '../parts/version-bar.tsx';
import '../style/flows.css';
import { en as actionsEn } from '../text/en/actions.ts';
import { en as agentsEn } from '../text/en/agents.ts';
import { en } from '../text/en/flows.ts';
import { useFormat } from '../text/format.ts';
import { fr as actionsFr } from '../text/fr/actions.ts';
import { fr as agentsFr } from '../text/fr/agents.ts';
import { fr } from '../text/fr/flows.ts';
import { useText } from '../text/language.tsx';

const RUNS = 20;

/** One automation: which agents run which version of it, and how its runs go. */
export default function Flow({ params }: PageParameters) {
  const { tenant = '', flow = '' } = params;
  const text = useText({ en, fr });
  const { data, error, refetch } = useFlow(tenant, flow);
  const runs = useRuns({ tenant, flow, limit: RUNS });
  const trail = [{ to: '/flows', title: text.title }];
  if (data === undefined)
    return (
      <Page title={flow} trail={trail}>
        {error === null ? <Bones lines={10} /> : <FaultNote fault={error} onRetry={() => void refetch()} />}
      </Page>
    );
  return (
    <Page title={flow} trail={trail} actions={<Actions flow={data} />}>
      <Card>
        <VersionBar flow={data} />
      </Card>
      <FlowFacts flow={data} />
      <Versions flow={data} />
      <section class="stack-small">
        <h2>{text.one.runs}</h2>
        <RunsTable
          runs={runs.data?.runs}
          without={['flow', 'tenant']}
          stale={runs.isPlaceholderData}
          fault={runs.error}
          onRetry={() => void runs.refetch()}
          none={text.one.noRuns}
          noneMore={text.one.noRunsMore}
        />
        <p>
          <Link to="/runs" query={{ tenant, flow }}>
            {text.one.allRuns}
          </Link>
        </p>
      </section>
    </Page>
  );
}

/** On every agent that has it; one agent is chosen in the list of agents. */
function Actions({ flow }: { flow: FlowRow }) {
  const { verb } = useText({ en: actionsEn, fr: actionsFr });
  const { needs } = useText({ en: agentsEn, fr: agentsFr });
  const text = useText({ en, fr });
  const mayOperate = useMay('operator', flow.tenant);
  const [dialog, ask] = useAsking();
  const all = {
    targets: { filter: { tenant: flow.tenant, flow: flow.flow }, expected: flow.agents },
    count: flow.agents,
    tenant: flow.tenant,
    flow: flow.flow,
  };
  const off = mayOperate ? null : needs.operator;
  return (
    <>
      <Button offBecause={off} onClick={() => ask({ ...all, action: 'rollback' })}>
        {text.one.rollback}
      </Button>
      <Button look="main" offBecause={off} onClick={() => ask({ ...all, action: 'run' })}>
        {verb.run}
      </Button>
      {dialog}
    </>
  );
}

function FlowFacts({ flow }: { flow: FlowRow }) {
  const text = useText({ en, fr });
  const { runs } = flow;
  return (
    <Card title={text.one.facts}>
      <Facts
        facts={[
          [text.column.tenant, flow.tenant],
          [text.column.runtime, flow.runtime ?? '–'],
          [
            text.column.health,
            flow.unhealthy === 0 ? (
              <Badge key="health" tone="ok" icon="ready" plain>
                {text.allHealthy}
              </Badge>
            ) : (
              <Badge key="health" tone="bad" icon="unhealthy" plain>
                {text.unhealthy(flow.unhealthy)}
              </Badge>
            ),
          ],
          [text.column.runs, text.runsOf(runs.succeeded, runs.failed)],
        ]}
      />
    </Card>
  );
}

type Each = FlowRow['versions'][number];

function Versions({ flow }: { flow: FlowRow }) {
  const text = useText({ en, fr });
  const columns = useVersionColumns(flow);
  return (
    <section class="stack-small">
      <h2>{text.one.versions}</h2>
      <DataTable<Each>
        caption={text.one.versions}
        columns={columns}
        rows={flow.versions}
        rowId={({ version }) => version}
        empty={
          <Empty icon="flows" title={text.none}>
            {text.noneMore}
          </Empty>
        }
      />
    </section>
  );
}

function useVersionColumns(flow: FlowRow): Column<Each>[] {
  const { one: text } = useText({ en, fr });
  const format = useFormat();
  return [
    {
      id: 'version',
      title: text.version,
      card: 'title',
      cell: ({ version }) => <Version version={version} />,
    },
    {
      id: 'active',
      title: text.active,
      tight: true,
      number: true,
      cell: ({ version, active, held }) => (
        <span class="version-agents">
          {text.agents(active)}
          {held === 0 ? null : (
            <Link
              class="small"
              to="/agents"
              query={{ tenant: flow.tenant, flow: flow.flow, version, held: 'yes' }}
            >
              {text.showHeld(held)}
            </Link>
          )}
        </span>
      ),
    },
    {
      id: 'desired',
      title: text.desired,
      tight: true,
      number: true,
      cell: ({ desired }) => text.agents(desired),
    },
    {
      id: 'share',
      title: text.share,
      tight: true,
      number: true,
      cell: ({ active }) => format.percent(flow.agents === 0 ? 0 : active / flow.agents),
    },
    {
      id: 'show',
      title: text.show,
      titleUnseen: true,
      cell: ({ version }) => (
        <Link to="/agents" query={{ tenant: flow.tenant, flow: flow.flow, version }}>
          {text.show}
        </Link>
      ),
    },
  ];
}
