import type { ComponentChildren } from 'preact';
import type { StoredEvent } from '../../../schemas/console/event.ts';
import { en } from '../text/en/events.ts';
import { fr } from '../text/fr/events.ts';
import { useText } from '../text/language.tsx';
import { SeverityBadge } from './badge.tsx';
import { Copy, Revision, Verbatim, Version } from './copied.tsx';
import { type Column, DataTable } from './data-table.tsx';
import { Link } from './link.tsx';
import { Empty } from './note.tsx';
import { SameNameId, sameNamed } from './same-name.tsx';
import { Time } from './time.tsx';

/** Events, the newest first, each with what it says word for word and the ways to what it is about. */
export function EventsTable(props: {
  events: readonly StoredEvent[] | undefined;
  withHost?: boolean;
  stale?: boolean;
  fault?: unknown;
  onRetry?: () => void;
  none: string;
  noneMore: string;
  foot?: ComponentChildren;
}) {
  const text = useText({ en, fr });
  const among = sameNamed(
    (props.events ?? []).map(({ hostname, event }) => ({ hostname, agent_id: event.agent_id })),
  );
  const columns = useColumns(among).filter(({ id }) => props.withHost !== false || id !== 'host');
  return (
    <DataTable<StoredEvent>
      caption={text.title}
      columns={columns}
      rows={props.events?.toReversed()}
      rowId={({ id }) => String(id)}
      stale={props.stale}
      fault={props.fault}
      onRetry={props.onRetry}
      empty={
        <Empty icon="events" title={props.none}>
          {props.noneMore}
        </Empty>
      }
      foot={props.foot}
    />
  );
}

function useColumns(among: ReadonlySet<string>): Column<StoredEvent>[] {
  const { column: text } = useText({ en, fr });
  return [
    { id: 'time', title: text.time, tight: true, cell: ({ event }) => <Time at={event.time} clock /> },
    {
      id: 'severity',
      title: text.severity,
      tight: true,
      card: 'badge',
      cell: ({ event }) => <SeverityBadge severity={event.severity} />,
    },
    {
      id: 'reason',
      title: text.reason,
      tight: true,
      card: 'title',
      cell: ({ event }) => (
        <strong>
          {event.reason}
          {event.repeated === undefined ? null : <span class="quiet"> ×{event.repeated}</span>}
        </strong>
      ),
    },
    {
      id: 'host',
      title: text.host,
      clipped: true,
      cell: ({ hostname, event }) =>
        event.agent_id === null ? (
          hostname
        ) : (
          <span>
            <Link to={`/agents/${event.agent_id}`} title={hostname}>
              {hostname}
            </Link>
            <SameNameId agentId={event.agent_id} among={among} />
          </span>
        ),
    },
    { id: 'message', title: text.message, wide: true, cell: ({ event }) => <Message event={event} /> },
  ];
}

function Message({ event }: { event: StoredEvent['event'] }) {
  const text = useText({ en, fr });
  const { agent_id: agent, run_id: run, flow, revision, version, because } = event;
  return (
    <details class="event">
      <summary>
        <Verbatim>{event.message}</Verbatim>
      </summary>
      <p class="line small">
        {flow === undefined ? null : <Link to={`/flows/${event.tenant}/${flow}`}>{flow}</Link>}
        {version === undefined ? null : <Version version={version} />}
        {revision === undefined ? null : (
          <Link to={`/releases/${event.tenant}/${encodeURIComponent(revision)}`}>
            <Revision revision={revision} />
          </Link>
        )}
        {run === undefined || agent === null ? null : (
          <Link to={`/agents/${agent}/runs/${run}`}>{text.run}</Link>
        )}
      </p>
      {because === undefined ? null : (
        <p class="small">
          {text.because} <Verbatim>{because}</Verbatim>
        </p>
      )}
      <pre class="raw">{JSON.stringify(event, null, 2)}</pre>
      <Copy text={JSON.stringify(event)} what="JSON" />
    </details>
  );
}
