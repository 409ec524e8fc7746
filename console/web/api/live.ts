import type { QueryClient } from '@tanstack/preact-query';
import type { LiveChange } from '../../../schemas/console/live.ts';

export type LiveState = 'connecting' | 'live' | 'reconnecting';

/** With the 250 ms that the console gathers changes for, what has changed is on the page within a second. */
const AT_MOST_EVERY_MS = 600;
const AGAIN_FIRST_MS = 1_000;
const AGAIN_LAST_MS = 30_000;
/** The server writes a comment each 15 s, which a page does not see; a connection that ends without a word is found by the browser. */

/** First words of the keys in `queries.ts` that a change touches. */
function topicsOf(change: LiveChange): string[] {
  const some = (found: LiveChange['agents']) => found === 'many' || found.length > 0;
  const agents = some(change.agents);
  const runs = some(change.runs);
  return [
    ...(agents ? ['agents'] : []),
    ...(runs ? ['runs'] : []),
    ...(change.flows || runs || agents ? ['flows'] : []),
    ...(change.releases || agents ? ['releases'] : []),
    ...(change.events ? ['events'] : []),
    // Who may sign in, which keys and tenants there are: all of it changes with a row of the audit.
    ...(change.audit ? ['audit', 'people', 'keys', 'tenants'] : []),
    ...(change.tokens ? ['tokens'] : []),
    ...(change.commands ? ['commands', 'runs'] : []),
    ...(agents || runs || change.releases ? ['overview'] : []),
  ];
}

export interface LiveOptions {
  readonly tenant: string | null;
  readonly queries: QueryClient;
  readonly onState: (state: LiveState) => void;
}

/**
 * Hears from the console what has changed, and asks again for what is shown of it: at once, then at most once in `AT_MOST_EVERY_MS` a topic.
 * After a break everything shown is asked for again, since nobody has told what happened meanwhile. Returns what ends it.
 */
export function followChanges({ tenant, queries, onState }: LiveOptions): () => void {
  const due = new Map<string, ReturnType<typeof setTimeout>>();
  const asked = new Map<string, number>();
  let source: EventSource | null = null;
  let again: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;
  let ended = false;

  const refresh = (topic: string) => {
    due.delete(topic);
    asked.set(topic, performance.now());
    void queries.invalidateQueries({ queryKey: [topic] });
  };
  const want = (topic: string) => {
    if (due.has(topic)) return;
    const wait = Math.max(0, AT_MOST_EVERY_MS - (performance.now() - (asked.get(topic) ?? -Infinity)));
    due.set(
      topic,
      setTimeout(() => refresh(topic), wait),
    );
  };
  const open = () => {
    if (ended) return;
    source = new EventSource(`/api/live${tenant === null ? '' : `?tenant=${encodeURIComponent(tenant)}`}`);
    source.addEventListener('hello', () => {
      if (tries > 0)
        void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' });
      tries = 0;
      onState('live');
    });
    source.addEventListener('changed', ({ data }: MessageEvent<string>) => {
      for (const topic of topicsOf(JSON.parse(data) as LiveChange)) want(topic);
    });
    source.addEventListener('error', () => {
      // The browser's own way to connect again gives up at the first answer that is not 200; ours does not.
      source?.close();
      if (ended) return;
      onState('reconnecting');
      // A stream cannot say why it was refused: if it was because nobody is signed in any more, the pages go at once.
      void queries.invalidateQueries({ queryKey: ['session'] });
      tries += 1;
      const wait = Math.min(AGAIN_LAST_MS, AGAIN_FIRST_MS * 2 ** (tries - 1));
      again = setTimeout(open, wait * (0.75 + Math.random() / 2));
    });
  };
  /** Somebody looks at the page again: no reason to wait for the timer. */
  const hurry = () => {
    if (document.visibilityState !== 'visible' || tries === 0 || source?.readyState === EventSource.OPEN)
      return;
    clearTimeout(again);
    source?.close();
    open();
  };
  document.addEventListener('visibilitychange', hurry);
  window.addEventListener('online', hurry);
  open();

  return () => {
    ended = true;
    source?.close();
    clearTimeout(again);
    for (const timer of due.values()) clearTimeout(timer);
    document.removeEventListener('visibilitychange', hurry);
    window.removeEventListener('online', hurry);
  };
}
