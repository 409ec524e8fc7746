import { useEvents } from '../../api/queries.ts';
import { EventsTable } from '../../parts/events-table.tsx';
import { Link } from '../../parts/link.tsx';
import { en } from '../../text/en/agent.ts';
import { fr } from '../../text/fr/agent.ts';
import { useText } from '../../text/language.tsx';

const SHOWN = 50;

/** The end of its event log. */
export function EventsTab({ agentId }: { agentId: string }) {
  const { events: text } = useText({ en, fr });
  const { data, error, isPlaceholderData, refetch } = useEvents({ agent: agentId, limit: SHOWN });
  return (
    <div class="stack-small">
      <EventsTable
        events={data?.events}
        withHost={false}
        stale={isPlaceholderData}
        fault={error}
        onRetry={() => void refetch()}
        none={text.none}
        noneMore={text.noneMore}
      />
      <p>
        <Link to="/events" query={{ agent: agentId }}>
          {text.all}
        </Link>
      </p>
    </div>
  );
}
