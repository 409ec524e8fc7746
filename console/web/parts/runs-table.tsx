import type { ComponentChildren } from 'preact';
import type { RunRow } from '../../../schemas/console/run.ts';
import { en } from '../text/en/runs.ts';
import { fr } from '../text/fr/runs.ts';
import { useText } from '../text/language.tsx';
import { RunBadge } from './badge.tsx';
import { Version } from './copied.tsx';
import { type Column, DataTable } from './data-table.tsx';
import { Empty } from './note.tsx';
import { SameNameId, sameNamed } from './same-name.tsx';
import { Duration, Time } from './time.tsx';

type Name = 'state' | 'flow' | 'version' | 'host' | 'tenant' | 'trigger' | 'duration' | 'exit' | 'when';

/** Runs as a list: which flow, where, how it ended, how long it took. */
export function RunsTable(props: {
  runs: readonly RunRow[] | undefined;
  without?: readonly Name[];
  stale?: boolean;
  fault?: unknown;
  onRetry?: () => void;
  none: string;
  noneMore: string;
  foot?: ComponentChildren;
}) {
  const text = useText({ en, fr });
  const columns = useColumns(props.without?.includes('tenant') !== true, sameNamed(props.runs ?? [])).filter(
    ({ id }) => props.without?.includes(id as Name) !== true,
  );
  return (
    <DataTable<RunRow>
      caption={text.title}
      columns={columns}
      rows={props.runs}
      rowId={(run) => `${run.agent_id} ${run.run_id}`}
      rowPath={(run) => `/agents/${run.agent_id}/runs/${encodeURIComponent(run.run_id)}`}
      stale={props.stale}
      fault={props.fault}
      onRetry={props.onRetry}
      empty={
        <Empty icon="runs" title={props.none}>
          {props.noneMore}
        </Empty>
      }
      foot={props.foot}
    />
  );
}

function useColumns(withTenant: boolean, among: ReadonlySet<string>): Column<RunRow>[] {
  const { column: text, triggers } = useText({ en, fr });
  return [
    {
      id: 'state',
      title: text.state,
      tight: true,
      card: 'badge',
      cell: ({ state }) => <RunBadge state={state} />,
    },
    {
      id: 'flow',
      title: text.flow,
      card: 'title',
      cell: ({ flow }) => (
        <span class="two-lines" title={flow}>
          {flow}
        </span>
      ),
    },
    {
      id: 'version',
      title: text.version,
      tight: true,
      cell: ({ version }) => (
        <span class="version-cell">
          <Version version={version} />
        </span>
      ),
    },
    {
      id: 'host',
      title: text.host,
      clipped: true,
      cell: ({ agent_id, hostname, tenant }) => (
        <span title={withTenant ? `${hostname} (${tenant})` : hostname}>
          {hostname}
          <SameNameId agentId={agent_id} among={among} />
          {withTenant ? <span class="below">{tenant}</span> : null}
        </span>
      ),
    },
    {
      id: 'trigger',
      title: text.trigger,
      tight: true,
      hideMedium: true,
      cell: ({ trigger }) => (trigger === null ? '–' : triggers[trigger]),
    },
    {
      id: 'duration',
      title: text.duration,
      tight: true,
      number: true,
      cell: ({ started_at, finished_at }) => <Duration from={started_at} to={finished_at} />,
    },
    {
      id: 'exit',
      title: text.exit,
      tight: true,
      number: true,
      cell: ({ exit_code, attempt }) => (
        <span title={attempt > 1 ? text.attempt(attempt) : undefined}>
          {exit_code ?? '–'}
          {attempt > 1 ? <span class="quiet"> ×{attempt}</span> : null}
        </span>
      ),
    },
    {
      id: 'when',
      title: text.when,
      tight: true,
      cell: (run) => <Time at={run.started_at ?? run.asked_at ?? run.received_at} />,
    },
  ];
}
