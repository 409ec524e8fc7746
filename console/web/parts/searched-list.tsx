import { useParameters, useTenant } from '../frame/address.ts';
import { useWords } from '../text/words.ts';
import { type Column, DataTable, type Sort } from './data-table.tsx';
import type { IconName } from './icon.tsx';
import { Empty } from './note.tsx';
import { Page } from './page.tsx';
import { Pager, SearchBox, TableTools } from './table-tools.tsx';

const LIST_PAGE = 50;

/** What an address asks of a list that the server orders: words, the tenant that is looked at, the page. */
export function useSearched() {
  const [parameters] = useParameters();
  return {
    tenant: useTenant() ?? undefined,
    q: parameters.get('q') ?? '',
    limit: LIST_PAGE,
    offset: Number(parameters.get('offset') ?? 0) || 0,
  };
}

/** What `useQuery` gave for it. */
interface Answer {
  readonly error: unknown;
  readonly isPlaceholderData: boolean;
  readonly refetch: () => Promise<unknown>;
}

/** A page that is one such list: its search, its rows, its pages. */
export function SearchedList<Row>(props: {
  text: Readonly<Record<'title' | 'lead' | 'search' | 'none' | 'noneMore', string>>;
  icon: IconName;
  answer: Answer;
  rows: readonly Row[] | undefined;
  total: number | undefined;
  columns: readonly Column<Row>[];
  rowId: (row: Row) => string;
  rowPath: (row: Row) => string;
  sort?: Sort;
}) {
  const { text, answer } = props;
  const words = useWords();
  const [, set] = useParameters();
  const { q, offset } = useSearched();
  return (
    <Page title={text.title} lead={text.lead}>
      <TableTools>
        <SearchBox
          label={text.search}
          value={q}
          onSearch={(next) => set({ q: next, offset: null }, { replace: true })}
        />
      </TableTools>
      <DataTable<Row>
        caption={text.title}
        columns={props.columns}
        rows={props.rows}
        rowId={props.rowId}
        rowPath={props.rowPath}
        sort={props.sort}
        onSort={(sort) => set({ sort: sort.by, order: sort.order, offset: null })}
        stale={answer.isPlaceholderData}
        fault={answer.error}
        onRetry={() => void answer.refetch()}
        empty={
          <Empty icon={props.icon} title={q === '' ? text.none : words.table.nothingMatches}>
            {q === '' ? text.noneMore : words.table.nothingMatchesMore}
          </Empty>
        }
        foot={
          <Pager
            offset={offset}
            limit={LIST_PAGE}
            total={props.total ?? 0}
            onOffset={(next) => set({ offset: next === 0 ? null : next })}
          />
        }
      />
    </Page>
  );
}
