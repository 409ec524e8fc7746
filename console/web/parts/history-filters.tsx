import { useParameters } from '../frame/address.ts';
import { useFormat } from '../text/format.ts';
import { type Chip, FilterChips } from './table-tools.tsx';
import { useNow } from './time.tsx';

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
export function asked<Name extends string>(
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
export function beforeIn(parameters: URLSearchParams): number | undefined {
  const value = Number(parameters.get('before') ?? Number.NaN);
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}
