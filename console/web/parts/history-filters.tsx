import { useParameters, useTenant } from '../frame/address.ts';
import { useFormat } from '../text/format.ts';
import { useWords } from '../text/words.ts';
import { type Chip, FilterChips, HistoryPager, SearchBox } from './table-tools.tsx';
import { useNow } from './time.tsx';

/** Rows of a page of a history. */
const HISTORY_PAGE = 50;

/** The page of a history that an address asks for. */
export function useHistoryPage() {
  const [parameters] = useParameters();
  return { before: beforeIn(parameters), limit: HISTORY_PAGE };
}

/**
 * What an address asks of a history: its filters by these names, the tenant that is looked at and the page. `empty` is for no rows,
 * by the answer's `next_before`: the server looks at so many at a time, and of the older ones nothing is said then. Otherwise it is
 * of the filters where there are any, of the list itself where there are none.
 */
export function useHistory<Name extends string>(
  names: readonly Name[],
  text: { readonly none: string; readonly noneMore: string },
) {
  const words = useWords();
  const [parameters] = useParameters();
  const tenant = useTenant() ?? undefined;
  const filter = asked(parameters, names);
  const filtered = Object.keys(filter).length > 0;
  const page = useHistoryPage();
  return {
    filter,
    query: { ...filter, tenant, ...page },
    empty(older: number | null | undefined): { none: string; noneMore: string } {
      if (older != null) return { none: words.table.nothingSoFar, noneMore: words.table.nothingSoFarMore };
      if (filtered) return { none: words.table.nothingMatches, noneMore: words.table.nothingMatchesMore };
      return { none: text.none, noneMore: text.noneMore };
    },
  };
}

/** Its search box: what is typed goes back to the newest page. */
export function HistorySearch({ label }: { label: string }) {
  const [parameters, set] = useParameters();
  return (
    <SearchBox
      label={label}
      value={parameters.get('q') ?? ''}
      onSearch={(q) => set({ q, before: null }, { replace: true })}
    />
  );
}

/** Its pages; `older` is `next_before` of the answer, undefined while there is none. */
export function HistoryFoot({ older }: { older: number | null | undefined }) {
  const [parameters, set] = useParameters();
  return (
    <HistoryPager
      newest={beforeIn(parameters) === undefined}
      older={older ?? null}
      onNewest={() => set({ before: null })}
      onOlder={(before) => set({ before })}
    />
  );
}

/**
 * Chips of the filters that an address carries and no field shows. Times are written as clocks write them; changing any filter
 * goes back to the newest page.
 */
export function HistoryChips({ names }: { names: Readonly<Record<string, string>> }) {
  const [parameters, set] = useParameters();
  const format = useFormat();
  const now = useNow();
  const chips = Object.entries(names).flatMap(([id, name]): Chip[] => {
    const value = parameters.get(id);
    if (value === null || value === '') return [];
    const time = id === 'since' || id === 'until' ? new Date(value) : null;
    const shown = time === null || Number.isNaN(time.getTime()) ? value : format.clock(time, now);
    return [{ id, name, value: shown, onRemove: () => set({ [id]: null, before: null }) }];
  });
  return (
    <FilterChips
      chips={chips}
      onClear={() =>
        set({ ...Object.fromEntries(Object.keys(names).map((name) => [name, null])), before: null })
      }
    />
  );
}

/** What an address says under these names, for a query; absent ones are left out. */
function asked<Name extends string>(
  parameters: URLSearchParams,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const found = names.flatMap((name) => {
    const value = parameters.get(name);
    return value === null || value === '' ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found) as Partial<Record<Name, string>>;
}

/** `before` of an address: the id that a page of a history ends before. */
function beforeIn(parameters: URLSearchParams): number | undefined {
  const value = Number(parameters.get('before') ?? Number.NaN);
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}
