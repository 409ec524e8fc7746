import { useRuns } from '../api/queries.ts';
import { useParameters } from '../frame/address.ts';
import { RUN_LOOK } from '../parts/badge.tsx';
import { HistoryChips, HistoryFoot, HistorySearch, useHistory } from '../parts/history-filters.tsx';
import { Page } from '../parts/page.tsx';
import { RunsTable } from '../parts/runs-table.tsx';
import { SelectFilter, TableTools } from '../parts/table-tools.tsx';
import { en } from '../text/en/runs.ts';
import { fr } from '../text/fr/runs.ts';
import { useText } from '../text/language.tsx';
import { useWords } from '../text/words.ts';

const STATES = Object.keys(RUN_LOOK) as (keyof typeof RUN_LOOK)[];
const NAMES = ['q', 'agent', 'flow', 'version', 'state', 'trigger', 'since', 'until'] as const;

/** Every run of every machine, the newest first. */
export default function Runs() {
  const text = useText({ en, fr });
  const words = useWords();
  const [, set] = useParameters();
  const { filter, query, empty } = useHistory(NAMES, text);
  const { data, error, isPlaceholderData, refetch } = useRuns(query as Parameters<typeof useRuns>[0]);
  return (
    <Page title={text.title} lead={text.lead}>
      <TableTools>
        <HistorySearch label={text.search} />
        <SelectFilter
          label={text.column.state}
          all={text.any.state}
          value={filter.state ?? ''}
          options={STATES.map((state) => ({ value: state, word: words.run[state] }))}
          onChange={(state) => set({ state, before: null })}
        />
        <SelectFilter
          label={text.column.trigger}
          all={text.any.trigger}
          value={filter.trigger ?? ''}
          options={(['command', 'schedule', 'local'] as const).map((trigger) => ({
            value: trigger,
            word: text.triggers[trigger],
          }))}
          onChange={(trigger) => set({ trigger, before: null })}
        />
        <HistoryChips names={text.filter} />
      </TableTools>
      <RunsTable
        runs={data?.runs}
        without={query.tenant === undefined ? [] : ['tenant']}
        stale={isPlaceholderData}
        fault={error}
        onRetry={() => void refetch()}
        {...empty(data?.next_before)}
        foot={<HistoryFoot older={data?.next_before} />}
      />
    </Page>
  );
}
