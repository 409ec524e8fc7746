import type { AgentChange } from '../../../../schemas/console/agent.ts';
import { useAgentHistory } from '../../api/queries.ts';
import { useParameters } from '../../frame/address.ts';
import { ChangeText } from '../../parts/change-text.tsx';
import { Verbatim } from '../../parts/copied.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/note.tsx';
import { HistoryPager } from '../../parts/table-tools.tsx';
import { Time } from '../../parts/time.tsx';
import { en } from '../../text/en/agent.ts';
import { fr } from '../../text/fr/agent.ts';
import { useText } from '../../text/language.tsx';

const PAGE = 50;

/** How it came to be as it is. */
export function HistoryTab({ agentId }: { agentId: string }) {
  const { history: text, tabs } = useText({ en, fr });
  const [parameters, set] = useParameters();
  const asked = parameters.get('before');
  const before = asked === null ? undefined : Number(asked);
  const { data, error, isPlaceholderData, refetch } = useAgentHistory(agentId, { before, limit: PAGE });
  const columns = useColumns();
  return (
    <DataTable<AgentChange>
      caption={tabs.history}
      columns={columns}
      rows={data?.changes}
      rowId={({ id }) => String(id)}
      stale={isPlaceholderData}
      fault={error}
      onRetry={() => void refetch()}
      empty={
        <Empty icon="events" title={text.none}>
          {text.noneMore}
        </Empty>
      }
      foot={
        <HistoryPager
          newest={before === undefined}
          older={data?.next_before ?? null}
          onNewest={() => set({ before: null })}
          onOlder={(next) => set({ before: next })}
        />
      }
    />
  );
}

function useColumns(): Column<AgentChange>[] {
  const { history: text } = useText({ en, fr });
  return [
    { id: 'at', title: text.at, tight: true, cell: ({ at }) => <Time at={at} /> },
    {
      id: 'what',
      title: text.what,
      card: 'title',
      cell: (change) => (
        <span class="first-upper">
          <ChangeText change={change} />
        </span>
      ),
    },
    {
      id: 'why',
      title: text.why,
      wide: true,
      cell: ({ reason, message }) => (
        <span class="one-wrap small">
          {reason === null ? null : <strong>{reason} </strong>}
          {message === null ? null : <Verbatim>{message}</Verbatim>}
        </span>
      ),
    },
  ];
}
