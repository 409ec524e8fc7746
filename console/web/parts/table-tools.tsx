import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useFormat } from '../text/format.ts';
import { useWords } from '../text/words.ts';
import { Button } from './button.tsx';
import { Icon } from './icon.tsx';
import { NOTHING_SELECTED, type Selection, selectedCount } from './selection.ts';

const TYPING_MS = 250;

/** The row above a table: its search box, its filters, and what is filtered by now. */
export function TableTools({ children }: { children: ComponentChildren }) {
  return <div class="table-tools">{children}</div>;
}

/** What is typed goes into the address a quarter of a second later. */
export function SearchBox(props: { label: string; value: string; onSearch: (text: string) => void }) {
  const [text, setText] = useState(props.value);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const typed = useRef(props.value);
  useEffect(() => {
    // The back button, or a filter taken away elsewhere.
    if (props.value !== typed.current) {
      typed.current = props.value;
      setText(props.value);
    }
  }, [props.value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const search = (value: string) => {
    typed.current = value.trim();
    props.onSearch(value.trim());
  };
  return (
    <div class="search">
      <div class="search-box">
        <Icon name="search" />
        <input
          type="search"
          aria-label={props.label}
          placeholder={props.label}
          value={text}
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => {
            const { value } = event.currentTarget;
            setText(value);
            clearTimeout(timer.current);
            timer.current = setTimeout(() => search(value), TYPING_MS);
          }}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return;
            clearTimeout(timer.current);
            search(event.currentTarget.value);
          }}
        />
      </div>
    </div>
  );
}

/** A filter of a closed list: `''` is all of them. */
export function SelectFilter(props: {
  label: string;
  all: string;
  value: string;
  options: readonly { readonly value: string; readonly word: string }[];
  onChange: (value: string) => void;
}) {
  return (
    <label>
      <span class="unseen">{props.label}</span>
      <select
        class="input"
        value={props.value}
        onChange={(event) => props.onChange(event.currentTarget.value)}
      >
        <option value="">{props.all}</option>
        {props.options.map(({ value, word }) => (
          <option key={value} value={value}>
            {word}
          </option>
        ))}
      </select>
    </label>
  );
}

export interface Chip {
  readonly id: string;
  readonly name: string;
  readonly value: string;
  readonly onRemove: () => void;
}

/** What is filtered by, each to be taken away. */
export function FilterChips({ chips, onClear }: { chips: readonly Chip[]; onClear: () => void }) {
  const words = useWords();
  if (chips.length === 0) return null;
  return (
    <div class="line">
      <ul class="chips">
        {chips.map(({ id, name, value, onRemove }) => (
          <li key={id} class="chip">
            <span class="chip-name">{name}</span>
            <span class="one-line">{value}</span>
            <button
              type="button"
              class="copy"
              aria-label={words.table.without(`${name} ${value}`)}
              onClick={onRemove}
            >
              <Icon name="close" size={14} />
            </button>
          </li>
        ))}
      </ul>
      {chips.length > 1 ? (
        <Button look="bare" small onClick={onClear}>
          {words.table.clearFilters}
        </Button>
      ) : null}
    </div>
  );
}

/** Pages of a list that is ordered by the reader: `offset`, `limit` and how many there are in all. */
export function Pager(props: {
  offset: number;
  limit: number;
  total: number;
  onOffset: (offset: number) => void;
}) {
  const words = useWords();
  const format = useFormat();
  const { offset, limit, total, onOffset } = props;
  // What stands in the place of the rows says it.
  if (total === 0) return null;
  const last = Math.min(offset + limit, total);
  return (
    <div class="table-foot">
      <span aria-live="polite">
        {words.table.rows(
          format.number(Math.min(offset + 1, total)),
          format.number(last),
          format.number(total),
        )}
      </span>
      {total > limit ? (
        <span class="line">
          <Button
            small
            icon="left"
            label={words.table.previous}
            disabled={offset === 0}
            onClick={() => onOffset(Math.max(0, offset - limit))}
          />
          <Button
            small
            icon="right"
            label={words.table.next}
            disabled={last >= total}
            onClick={() => onOffset(offset + limit)}
          />
        </span>
      ) : null}
    </div>
  );
}

/** Pages of a history, newest first: `older` is the server's `next_before`; null: none. */
export function HistoryPager(props: {
  newest: boolean;
  older: number | null;
  onNewest: () => void;
  onOlder: (before: number) => void;
}) {
  const words = useWords();
  const { older } = props;
  if (props.newest && older === null) return null;
  return (
    <div class="table-foot">
      <Button small icon="left" disabled={props.newest} onClick={props.onNewest}>
        {words.table.newer}
      </Button>
      <Button
        small
        disabled={older === null}
        onClick={() => {
          if (older !== null) props.onOlder(older);
        }}
      >
        {words.table.older}
        <Icon name="right" />
      </Button>
    </div>
  );
}

/** What can be done with the chosen rows; on the way to all that match, and back to none. */
export function SelectionBar(props: {
  selection: Selection;
  /** How many match on all pages, and how many of them are on this one. */
  total: number;
  onPage: number;
  onSelect: (selection: Selection) => void;
  children: ComponentChildren;
}) {
  const words = useWords();
  const { selection, total, onPage, onSelect } = props;
  const count = selectedCount(selection);
  if (count === 0) return null;
  const more = selection.kind === 'rows' && count >= onPage && total > count;
  return (
    <div class="selection-bar" role="group" aria-label={words.table.selected(count)}>
      <strong aria-live="polite">
        {selection.kind === 'all' ? words.table.allSelected(count) : words.table.selected(count)}
      </strong>
      {more ? (
        <Button small look="bare" onClick={() => onSelect({ kind: 'all', expected: total })}>
          {words.table.selectAll(total)}
        </Button>
      ) : null}
      <Button small look="bare" onClick={() => onSelect(NOTHING_SELECTED)}>
        {words.table.clearSelection}
      </Button>
      <div class="page-actions">{props.children}</div>
    </div>
  );
}
