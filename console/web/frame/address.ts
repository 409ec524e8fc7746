import { useCallback } from 'preact/hooks';
import { useLocation, useSearch } from 'wouter-preact';
import { type Query, queryText } from '../api/client.ts';

/**
 * What the address says behind the `?`: every filter, sort, page and tab is kept there and nowhere else, so that an address can
 * be sent to somebody and the back button works. `set` changes the named ones (null or '' takes one away) and leaves the others.
 */
export function useParameters(): readonly [URLSearchParams, (change: Query, options?: SetOptions) => void] {
  const search = useSearch();
  const [path, navigate] = useLocation();
  const set = useCallback(
    (change: Query, { replace = false }: SetOptions = {}) => {
      // What is in the address now, and not at the last drawing: two changes may come in one turn.
      const all = Object.fromEntries(new URLSearchParams(window.location.search));
      navigate(path + queryText({ ...all, ...change }), { replace });
    },
    [path, navigate],
  );
  return [new URLSearchParams(search), set];
}

interface SetOptions {
  /** For what changes with each key pressed: no step for the back button. */
  readonly replace?: boolean;
}

export function useParameter(name: string): string | null {
  return new URLSearchParams(useSearch()).get(name);
}

/** The tenant that is looked at; null: all of them. */
export function useTenant(): string | null {
  return useParameter('tenant');
}

/** To another page with the tenant that is looked at. */
export function useGo(): (path: string, query?: Query) => void {
  const [, navigate] = useLocation();
  const tenant = useTenant();
  return useCallback(
    (path, query = {}) => navigate(path + queryText({ tenant, ...query })),
    [navigate, tenant],
  );
}
