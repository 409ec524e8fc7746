import type { ComponentChildren } from 'preact';
import { useWords } from '../text/words.ts';
import { Icon } from './icon.tsx';
import { Link } from './link.tsx';
import { FaultNote } from './note.tsx';
import { useScrollWhereWider } from './scroll-where-wider.ts';
import { isSelected, pageToggled, type Selection, toggled } from './selection.ts';

export interface Column<Row> {
  readonly id: string;
  /** Never empty: those who hear a table hear it with each cell. */
  readonly title: string;
  /** What the cells hold says what they are (a button, a badge): the title is heard and not seen. */
  readonly titleUnseen?: boolean;
  readonly cell: (row: Row) => ComponentChildren;
  /** The server's name of the order; absent: cannot be sorted by. */
  readonly sort?: string;
  readonly number?: boolean;
  /** No wider than its content. */
  readonly tight?: boolean;
  readonly wide?: boolean;
  /** One line, cut where the column ends. */
  readonly clipped?: boolean;
  /** On a phone: the heading of the card, its badge, or left out. */
  readonly card?: 'title' | 'badge' | 'hidden';
  /** Left out where the window is narrower than 1100 px. */
  readonly hideMedium?: boolean;
}

export interface Sort {
  readonly by: string;
  readonly order: 'asc' | 'desc';
}

export interface DataTableProps<Row> {
  /** What these rows are, for those who hear it. */
  caption: string;
  columns: readonly Column<Row>[];
  /** Undefined while they load for the first time. */
  rows: readonly Row[] | undefined;
  rowId: (row: Row) => string;
  /** Its name, for `Select …`. */
  rowName?: (row: Row) => string;
  /** The page of the row: the cell of the `title` column becomes the link, and the whole row its target. */
  rowPath?: (row: Row) => string;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  selection?: Selection;
  onSelect?: (selection: Selection) => void;
  /** Rows are of the filter before this one, while the next ones come. */
  stale?: boolean;
  fault?: unknown;
  onRetry?: () => void;
  /** Shown in place of no rows. */
  empty: ComponentChildren;
  /** How many rows to keep room for while they load. */
  bones?: number;
  /** Below the rows: `Pager`. */
  foot?: ComponentChildren;
}

/** A list whose sorting, filters and pages the server makes. A table on a desk, cards on a phone. */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const words = useWords();
  const box = useScrollWhereWider();
  const { columns, rows, selection, onSelect } = props;
  const selects = selection !== undefined && onSelect !== undefined;
  if (rows === undefined && props.fault !== undefined && props.fault !== null)
    return <FaultNote fault={props.fault} onRetry={props.onRetry} />;
  if (rows?.length === 0) {
    return (
      <div class="card table-box">
        {props.empty}
        {props.foot}
      </div>
    );
  }
  const page = (rows ?? []).map(props.rowId);
  return (
    <div class="card table-box">
      <div class="table-scroll" ref={box}>
        <table
          class={`table${selects ? ' can-select' : ''}${props.stale === true ? ' is-stale' : ''}`}
          aria-busy={rows === undefined || props.stale === true}
        >
          <caption class="unseen">{props.caption}</caption>
          <thead>
            <tr>
              {selects ? (
                <th class="select-cell" scope="col">
                  <input
                    type="checkbox"
                    class="check"
                    aria-label={words.table.selectPage}
                    checked={page.length > 0 && page.every((id) => isSelected(selection, id))}
                    onChange={() => onSelect(pageToggled(selection, page))}
                  />
                </th>
              ) : null}
              {columns.map((column) => (
                <Head key={column.id} column={column} sort={props.sort} onSort={props.onSort} />
              ))}
            </tr>
          </thead>
          <tbody>
            {rows === undefined
              ? Array.from({ length: props.bones ?? 8 }, (_, line) => (
                  <tr key={line}>
                    {selects ? <td class="select-cell" /> : null}
                    {columns.map((column) => (
                      <td key={column.id} class={classOf(column)}>
                        <span class="bone" />
                      </td>
                    ))}
                  </tr>
                ))
              : rows.map((row, at) => {
                  const id = page[at] ?? '';
                  const chosen = selects && isSelected(selection, id);
                  const path = props.rowPath?.(row);
                  return (
                    <tr
                      key={id}
                      class={`${path === undefined ? '' : 'has-link'}${chosen ? ' is-chosen' : ''}`}
                    >
                      {selects ? (
                        <td class="select-cell">
                          <input
                            type="checkbox"
                            class="check"
                            aria-label={words.table.select(props.rowName?.(row) ?? id)}
                            checked={chosen}
                            onChange={() => onSelect(toggled(selection, id, page))}
                          />
                        </td>
                      ) : null}
                      {columns.map((column) => (
                        <td
                          key={column.id}
                          class={classOf(column)}
                          data-title={column.titleUnseen === true ? undefined : column.title}
                        >
                          {column.card === 'title' && path !== undefined ? (
                            <Link class="row-link" to={path}>
                              {column.cell(row)}
                            </Link>
                          ) : (
                            column.cell(row)
                          )}
                        </td>
                      ))}
                    </tr>
                  );
                })}
          </tbody>
        </table>
      </div>
      {/* Not before the rows are there: it would move as they come. */}
      {rows === undefined ? null : props.foot}
    </div>
  );
}

function Head<Row>(props: { column: Column<Row>; sort?: Sort; onSort?: (sort: Sort) => void }) {
  const words = useWords();
  const { column, sort, onSort } = props;
  const by = column.sort;
  const now = sort !== undefined && sort.by === by ? sort.order : null;
  return (
    <th
      scope="col"
      class={classOf(column)}
      aria-sort={now === null ? undefined : now === 'asc' ? 'ascending' : 'descending'}
    >
      {by === undefined || onSort === undefined ? (
        <span class={column.titleUnseen === true ? 'unseen' : undefined}>{column.title}</span>
      ) : (
        <button
          type="button"
          class="sort"
          title={words.table.sortBy(column.title)}
          onClick={() => onSort({ by, order: now === 'asc' ? 'desc' : 'asc' })}
        >
          {column.title}
          <Icon name={now === 'desc' ? 'down' : 'up'} size={14} />
        </button>
      )}
    </th>
  );
}

function classOf<Row>(column: Column<Row>): string {
  return [
    ['number', column.number],
    ['is-tight', column.tight],
    ['is-wide', column.wide],
    ['is-clipped', column.clipped],
    ['hide-medium', column.hideMedium],
    ['card-title', column.card === 'title'],
    ['card-badge', column.card === 'badge'],
    ['hide-phone', column.card === 'hidden'],
  ]
    .filter(([, on]) => on === true)
    .map(([name]) => name)
    .join(' ');
}
