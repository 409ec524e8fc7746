import { type Column, DataTable } from './data-table.tsx';
import { HistoryFoot } from './history-filters.tsx';
import type { IconName } from './icon.tsx';
import { Empty } from './note.tsx';

/** Rows of a history, the newest first, and the way to older ones. */
export function HistoryList<Row>(props: {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[] | undefined;
  rowId: (row: Row) => string;
  /** What `useQuery` gave for it. */
  answer: {
    readonly data: { readonly next_before: number | null } | undefined;
    readonly error: unknown;
    readonly isPlaceholderData: boolean;
    readonly refetch: () => Promise<unknown>;
  };
  icon: IconName;
  none: string;
  noneMore: string;
}) {
  const { answer } = props;
  return (
    <DataTable<Row>
      caption={props.caption}
      columns={props.columns}
      rows={props.rows}
      rowId={props.rowId}
      stale={answer.isPlaceholderData}
      fault={answer.error}
      onRetry={() => void answer.refetch()}
      empty={
        <Empty icon={props.icon} title={props.none}>
          {props.noneMore}
        </Empty>
      }
      foot={<HistoryFoot older={answer.data?.next_before} />}
    />
  );
}
