import { QueryClient, QueryClientProvider } from '@tanstack/preact-query';
import { type ComponentChildren, createContext } from 'preact';
import { useContext, useMemo } from 'preact/hooks';
import type { SessionAnswer } from '../../../schemas/console/session.ts';
import { type Api, createApi } from './client.ts';
import { ApiFault } from './fault.ts';

const ApiContext = createContext<Api | null>(null);

/** What is on a page is good for so long without word of a change (`live` says when there is one). */
const FRESH_MS = 30_000;
const TRIES = 2;

export function ApiProvider(props: { children: ComponentChildren; onClock: (offsetMs: number) => void }) {
  const { onClock } = props;
  const [queries, api] = useMemo(() => {
    const queries = createQueries();
    const session = () => queries.getQueryData<SessionAnswer>(['session']);
    const api = createApi({
      csrf: () => {
        const found = session();
        return found?.signed_in === true ? found.csrf : null;
      },
      onSignedOut: () => {
        queries.setQueryData(['session'], (): SessionAnswer => ({ signed_in: false, setup_needed: false }));
      },
      onClock,
    });
    return [queries, api];
  }, [onClock]);
  return (
    <ApiContext.Provider value={api}>
      <QueryClientProvider client={queries}>{props.children}</QueryClientProvider>
    </ApiContext.Provider>
  );
}

export function useApi(): Api {
  const api = useContext(ApiContext);
  if (api === null) throw new Error('expected an ApiProvider above');
  return api;
}

function createQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // The browser's own idea of being online knows nothing of a console on the same machine.
        networkMode: 'always',
        staleTime: FRESH_MS,
        retry: (count, error) => count < TRIES && error instanceof ApiFault && error.passing,
        retryDelay: (count, error) =>
          Math.max(500 * 2 ** count, 1_000 * ((error instanceof ApiFault && error.retryAfterS) || 0)),
      },
      mutations: { networkMode: 'always' },
    },
  });
}
