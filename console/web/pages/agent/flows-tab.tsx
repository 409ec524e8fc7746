import type { AgentDetail } from '../../../../schemas/console/agent.ts';
import { Badge, HealthBadge } from '../../parts/badge.tsx';
import { Button } from '../../parts/button.tsx';
import { Version } from '../../parts/copied.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/note.tsx';
import { Age } from '../../parts/time.tsx';
import { en } from '../../text/en/agent.ts';
import { en as reportedEn } from '../../text/en/reported.ts';
import { fr } from '../../text/fr/agent.ts';
import { fr as reportedFr } from '../../text/fr/reported.ts';
import { useText } from '../../text/language.tsx';
import { type Ask, askingOf, useOffBecause } from './agent-actions.tsx';

type Flow = NonNullable<AgentDetail['status']>['flows'][number];

/** Each flow of the machine: what it should be, what it is, and for how long it has been so. */
export function FlowsTab({ agent, onAsk }: { agent: AgentDetail; onAsk: Ask }) {
  const text = useText({ en, fr });
  const flows = agent.status?.flows ?? [];
  const noted = flows.some(hasNotes);
  const columns = useColumns(agent, onAsk).filter(({ id }) => noted || id !== 'notes');
  return (
    <DataTable<Flow>
      caption={text.tabs.flows}
      columns={columns}
      rows={flows}
      rowId={({ id }) => id}
      rowPath={({ id }) => `/flows/${agent.tenant}/${id}`}
      empty={
        <Empty icon="flows" title={text.flows.none}>
          {text.flows.noneMore}
        </Empty>
      }
    />
  );
}

function useColumns(agent: AgentDetail, onAsk: Ask): Column<Flow>[] {
  const { flows: text, phases } = useText({ en, fr });
  return [
    { id: 'flow', title: text.flow, card: 'title', cell: ({ id }) => id },
    {
      id: 'phase',
      title: text.phase,
      tight: true,
      card: 'badge',
      cell: ({ phase }) => <Badge tone={toneOf(phase)}>{phases[phase]}</Badge>,
    },
    { id: 'since', title: text.since, tight: true, cell: ({ since }) => <Age since={since} /> },
    {
      id: 'active',
      title: text.active,
      cell: (flow) => (
        <span class="version-cell flow-version">
          <Version version={flow.active_version} />
          {flow.previous_version === null ? null : (
            <span class="flow-before quiet">
              {text.previous} <Version version={flow.previous_version} />
            </span>
          )}
        </span>
      ),
    },
    {
      id: 'desired',
      title: text.desired,
      cell: (flow) =>
        flow.desired_version === flow.active_version ? (
          <span class="quiet">=</span>
        ) : (
          <span class="version-cell flow-version">
            <Version version={flow.desired_version} />
          </span>
        ),
    },
    {
      id: 'health',
      title: text.health,
      tight: true,
      cell: ({ health }) => <HealthBadge health={health} plain />,
    },
    {
      id: 'notes',
      title: text.notes,
      wide: true,
      cell: (flow) => (hasNotes(flow) ? <Notes flow={flow} /> : null),
    },
    {
      id: 'actions',
      title: text.actions,
      titleUnseen: true,
      tight: true,
      cell: (flow) => <RowActions agent={agent} flow={flow} onAsk={onAsk} />,
    },
  ];
}

function RowActions({ agent, flow, onAsk }: { agent: AgentDetail; flow: Flow; onAsk: Ask }) {
  const { flows: text } = useText({ en, fr });
  const offBecause = useOffBecause(agent);
  return (
    <span class="flow-actions" data-above>
      <Button
        small
        offBecause={offBecause('run', flow.id)}
        onClick={() => onAsk(askingOf(agent, 'run', flow.id))}
      >
        {text.run}
      </Button>
      <Button
        small
        offBecause={offBecause('rollback') ?? noWayBack(flow, text)}
        onClick={() => onAsk(askingOf(agent, 'rollback', flow.id))}
      >
        {text.rollback}
      </Button>
    </span>
  );
}

/** A version that failed its health check is the one before, until another comes: the agent does not go there. */
function noWayBack(flow: Flow, text: { noPrevious: string; previousFailed: string }): string | null {
  if (flow.previous_version === null) return text.noPrevious;
  const failed = flow.quarantined !== null && flow.previous_version === flow.desired_version;
  return failed ? text.previousFailed : null;
}

function hasNotes({ held, quarantined, service }: Flow): boolean {
  return held !== null || quarantined !== null || service !== null;
}

function Notes({ flow }: { flow: Flow }) {
  const { flows: text } = useText({ en, fr });
  const reported = useText({ en: reportedEn, fr: reportedFr });
  const { held, quarantined, service } = flow;
  // What is cut is whole on hover, and word for word on top of the page where it is what is wrong.
  const notes = [
    ...(held === null ? [] : [{ note: text.held(held.by, held.why), whole: held.why }]),
    ...(quarantined === null
      ? []
      : [{ note: text.quarantined(quarantined.reason), whole: quarantined.reason }]),
    ...(service === null
      ? []
      : [
          {
            note: `${text.service(reported.service[service.state])} ${service.url ?? ''}`,
            whole: service.message ?? undefined,
          },
        ]),
  ];
  return (
    <div class="flow-notes">
      {notes.map(({ note, whole }) => (
        <p key={note} class="small" title={whole} data-above>
          {note}
        </p>
      ))}
    </div>
  );
}

function toneOf(phase: Flow['phase']) {
  if (phase === 'active') return 'ok';
  if (phase === 'stalled' || phase === 'refused') return 'bad';
  return phase === 'retrying' ? 'warn' : 'busy';
}
