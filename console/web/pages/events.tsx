import { useEvents } from '../api/queries.ts';
import { useParameters } from '../frame/address.ts';
import { EventsTable } from '../parts/events-table.tsx';
import { HistoryChips, HistoryFoot, HistorySearch, useHistory } from '../parts/history-filters.tsx';
import { Page } from '../parts/page.tsx';
import { SelectFilter, TableTools } from '../parts/table-tools.tsx';
import { en } from '../text/en/events.ts';
import { fr } from '../text/fr/events.ts';
import { useText } from '../text/language.tsx';
import { useWords } from '../text/words.ts';

const NAMES = ['q', 'agent', 'severity', 'reason', 'flow', 'run_id', 'since', 'until'] as const;
const HOURS = ['1', '24', '168'] as const;
const HOUR_MS = 3_600_000;

/** What agents did, the newest first; new ones appear on top while the newest page is shown. */
export default function Events() {
  const text = useText({ en, fr });
  const words = useWords();
  const [, set] = useParameters();
  const { filter, query, empty } = useHistory(NAMES, text);
  const { data, error, isPlaceholderData, refetch } = useEvents(query);
  return (
    <Page title={text.title} lead={text.lead}>
      <TableTools>
        <HistorySearch label={text.search} />
        <SelectFilter
          label={text.column.severity}
          all={text.any.severity}
          value={filter.severity ?? ''}
          options={(['error', 'warning', 'info'] as const).map((severity) => ({
            value: severity,
            word: words.severity[severity],
          }))}
          onChange={(severity) => set({ severity, before: null })}
        />
        <SelectFilter
          label={text.filter.since}
          all={text.any.range}
          value=""
          options={HOURS.map((hours) => ({ value: hours, word: text.ranges[hours] }))}
          onChange={(hours) =>
            set({
              since: hours === '' ? null : new Date(Date.now() - Number(hours) * HOUR_MS).toISOString(),
              before: null,
            })
          }
        />
        <HistoryChips names={text.filter} />
      </TableTools>
      <EventsTable
        events={data?.events}
        stale={isPlaceholderData}
        fault={error}
        onRetry={() => void refetch()}
        {...empty(data?.next_before)}
        foot={<HistoryFoot older={data?.next_before} />}
      />
    </Page>
  );
}
