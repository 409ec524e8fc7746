import { type CommandRow, useAgentCommands } from '../../api/queries.ts';
import { useParameters } from '../../frame/address.ts';
import { Badge, type Tone } from '../../parts/badge.tsx';
import { Mono, Verbatim } from '../../parts/copied.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Link } from '../../parts/link.tsx';
import { Empty } from '../../parts/note.tsx';
import { HistoryPager } from '../../parts/table-tools.tsx';
import { Time } from '../../parts/time.tsx';
import { en as actionsEn } from '../../text/en/actions.ts';
import { en } from '../../text/en/agent.ts';
import { fr as actionsFr } from '../../text/fr/actions.ts';
import { fr } from '../../text/fr/agent.ts';
import { useText } from '../../text/language.tsx';

const PAGE = 50;
const TONE: Readonly<Record<string, Tone>> = {
  queued: 'none',
  sent: 'busy',
  acknowledged: 'ok',
  refused: 'bad',
  expired: 'warn',
};

/** What was asked of it, and what it made of that. */
export function CommandsTab({ agentId }: { agentId: string }) {
  const { commands: text, tabs } = useText({ en, fr });
  const [parameters, set] = useParameters();
  const asked = parameters.get('before');
  const before = asked === null ? undefined : Number(asked);
  const { data, error, isPlaceholderData, refetch } = useAgentCommands(agentId, { before, limit: PAGE });
  const columns = useColumns();
  return (
    <DataTable<CommandRow>
      caption={tabs.commands}
      columns={columns}
      rows={data?.commands}
      rowId={({ command_id }) => command_id}
      stale={isPlaceholderData}
      fault={error}
      onRetry={() => void refetch()}
      empty={
        <Empty icon="terminal" title={text.none}>
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

function useColumns(): Column<CommandRow>[] {
  const { commands: text } = useText({ en, fr });
  const { verb } = useText({ en: actionsEn, fr: actionsFr });
  return [
    {
      id: 'action',
      title: text.action,
      card: 'title',
      cell: ({ action, agent_id, run_id }) => {
        const word = (verb as Record<string, string>)[action] ?? action;
        return run_id === null ? word : <Link to={`/agents/${agent_id}/runs/${run_id}`}>{word}</Link>;
      },
    },
    {
      id: 'state',
      title: text.state,
      tight: true,
      card: 'badge',
      cell: ({ state }) => <Badge tone={TONE[state] ?? 'none'}>{text.states[state] ?? state}</Badge>,
    },
    { id: 'asked', title: text.asked, tight: true, cell: ({ created_at }) => <Time at={created_at} /> },
    {
      id: 'settled',
      title: text.settled,
      tight: true,
      cell: ({ settled_at }) => (settled_at === null ? '–' : <Time at={settled_at} />),
    },
    {
      id: 'why',
      title: text.why,
      wide: true,
      cell: ({ code, message, asked_by: by, why }) => (
        <span class="one-wrap small">
          {by == null ? null : (
            <span class="quiet">
              {text.by} {by}
              {why == null ? null : (
                <>
                  : <Verbatim>{why}</Verbatim>
                </>
              )}{' '}
            </span>
          )}
          {code === null ? null : <strong>{code} </strong>}
          {message === null ? null : <Verbatim>{message}</Verbatim>}
        </span>
      ),
    },
    {
      id: 'id',
      title: text.id,
      tight: true,
      hideMedium: true,
      cell: ({ command_id }) => <Mono text={command_id} short={`${command_id.slice(0, 8)}…`} copy />,
    },
  ];
}
