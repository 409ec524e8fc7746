import type { AgentChange } from '../../../../schemas/console/agent.ts';
import { useAgentHistory } from '../../api/queries.ts';
import { ChangeText } from '../../parts/change-text.tsx';
import { Verbatim } from '../../parts/copied.tsx';
import type { Column } from '../../parts/data-table.tsx';
import { useHistoryPage } from '../../parts/history-filters.tsx';
import { HistoryList } from '../../parts/history-list.tsx';
import { Time } from '../../parts/time.tsx';
import { en } from '../../text/en/agent.ts';
import { fr } from '../../text/fr/agent.ts';
import { useText } from '../../text/language.tsx';

/** How it came to be as it is. */
export function HistoryTab({ agentId }: { agentId: string }) {
  const { history: text, tabs } = useText({ en, fr });
  const answer = useAgentHistory(agentId, useHistoryPage());
  return (
    <HistoryList<AgentChange>
      caption={tabs.history}
      columns={useColumns()}
      rows={answer.data?.changes}
      rowId={({ id }) => String(id)}
      answer={answer}
      icon="events"
      none={text.none}
      noneMore={text.noneMore}
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
