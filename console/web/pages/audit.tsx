import type { AuditEntry } from '../../../schemas/console/token.ts';
import { useAudit } from '../api/queries.ts';
import { useMay } from '../api/session.ts';
import { useTenant } from '../frame/address.ts';
import { Mono, Verbatim } from '../parts/copied.tsx';
import type { Column } from '../parts/data-table.tsx';
import { HistoryChips, HistorySearch, useHistory } from '../parts/history-filters.tsx';
import { HistoryList } from '../parts/history-list.tsx';
import { Link } from '../parts/link.tsx';
import { Empty } from '../parts/note.tsx';
import { Card, Page } from '../parts/page.tsx';
import { SameNameId, sameNamed } from '../parts/same-name.tsx';
import { TableTools } from '../parts/table-tools.tsx';
import { Time } from '../parts/time.tsx';
import { en } from '../text/en/audit.ts';
import { useFormat } from '../text/format.ts';
import { fr } from '../text/fr/audit.ts';
import { useText } from '../text/language.tsx';

const NAMES = ['q', 'agent', 'action', 'by', 'since', 'until'] as const;

/** Who did what, the newest first. It names people and keys: whoever only reads is told so in its place. */
export default function Audit() {
  const text = useText({ en, fr });
  const mayRead = useMay('operator', useTenant());
  if (mayRead) return <Entries />;
  return (
    <Page title={text.title} lead={text.lead}>
      <Card>
        <Empty icon="audit" title={text.operatorsOnly}>
          {text.operatorsOnlyMore}
        </Empty>
      </Card>
    </Page>
  );
}

function Entries() {
  const text = useText({ en, fr });
  const { query, empty } = useHistory(NAMES, text);
  const answer = useAudit(query);
  return (
    <Page title={text.title} lead={text.lead}>
      <TableTools>
        <HistorySearch label={text.search} />
        <HistoryChips names={text.filter} />
      </TableTools>
      <HistoryList<AuditEntry>
        caption={text.title}
        columns={useColumns(sameNamed(answer.data?.entries ?? []))}
        rows={answer.data?.entries}
        rowId={({ id }) => String(id)}
        answer={answer}
        icon="audit"
        {...empty(answer.data?.next_before)}
      />
    </Page>
  );
}

function useColumns(among: ReadonlySet<string>): Column<AuditEntry>[] {
  const { column: text } = useText({ en, fr });
  const format = useFormat();
  return [
    { id: 'at', title: text.at, tight: true, cell: ({ at }) => <Time at={at} /> },
    {
      id: 'by',
      title: text.by,
      tight: true,
      cell: ({ by }) => (
        <Link to="/audit" query={{ by }}>
          {by}
        </Link>
      ),
    },
    {
      id: 'action',
      title: text.action,
      tight: true,
      card: 'title',
      cell: ({ action }) => (
        <Link to="/audit" query={{ action }}>
          <Mono text={action} />
        </Link>
      ),
    },
    {
      id: 'whom',
      title: text.whom,
      clipped: true,
      cell: ({ agent_id, hostname, tenant }) =>
        agent_id === null ? (
          <span class="quiet">{tenant ?? '–'}</span>
        ) : (
          <span>
            <Link to={`/agents/${agent_id}`} title={hostname ?? agent_id}>
              {hostname ?? agent_id}
            </Link>
            <SameNameId agentId={agent_id} among={among} />
          </span>
        ),
    },
    {
      id: 'message',
      title: text.message,
      wide: true,
      cell: ({ message, reason }) => (
        <span class="audit-message">
          {message}
          {reason === null ? null : (
            <span class="quiet small">
              {text.reason}
              {format.colon}
              <Verbatim>{reason}</Verbatim>
            </span>
          )}
        </span>
      ),
    },
  ];
}
