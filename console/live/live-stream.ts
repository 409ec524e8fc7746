import type { ServerResponse } from 'node:http';
import type { LiveChange } from '../../schemas/console/live.ts';
import type { TenantScope } from '../store/ports/tenant-scope.ts';
import type { LiveFeed } from './live-feed.ts';

/** How long a browser waits before it comes back. */
const RETRY_MS = 2_000;

/**
 * Tells one reader of changes until they go, are too slow, may not hear it any more, or the console closes. `stands`: whether the
 * credentials they came with are still what they were; asked with every beat and before every word.
 */
export async function liveStream(
  parts: {
    readonly feed: LiveFeed;
    readonly answer: ServerResponse;
    readonly stands: () => Promise<boolean>;
    readonly leaving: AbortSignal;
    readonly bufferBytes: number;
    /** Proxies end what is silent for longer, and whoever has gone without a word is noticed. */
    readonly beatMs: number;
    readonly now: () => Date;
  },
  scope: TenantScope,
): Promise<'gone' | 'too_slow' | 'not_allowed' | 'closing'> {
  const { feed, answer, leaving, bufferBytes } = parts;
  const { promise: ended, resolve: end } = Promise.withResolvers<
    'gone' | 'too_slow' | 'not_allowed' | 'closing'
  >();

  const write = (text: string) => {
    // Not waited for: whoever cannot keep up with four lines a second comes back and reads everything anew.
    if (answer.writableLength > bufferBytes) return end('too_slow');
    answer.write(text);
  };
  let last: LiveChange | null = null;
  let isAsking = false;
  /** Permission first: nobody hears of a change after they were shut out. */
  const tell = async () => {
    if (isAsking) return;
    isAsking = true;
    try {
      if (!(await parts.stands())) return end('not_allowed');
      const change = last;
      last = null;
      if (change !== null) write(`event: changed\ndata: ${JSON.stringify(change)}\n\n`);
    } catch {
      end('not_allowed');
    } finally {
      isAsking = false;
    }
  };
  const stop = feed.subscribe(scope, (change) => {
    last = last === null ? change : merged(last, change);
    void tell();
  });
  const beat = setInterval(() => {
    write(': still here\n\n');
    void tell();
  }, parts.beatMs).unref();
  const onClose = () => end('gone');
  const onLeaving = () => end('closing');
  answer.once('close', onClose);
  leaving.addEventListener('abort', onLeaving, { once: true });
  try {
    write(
      `retry: ${RETRY_MS}\nevent: hello\ndata: ${JSON.stringify({ time: parts.now().toISOString() })}\n\n`,
    );
    if (leaving.aborted) return 'closing';
    return await ended;
  } finally {
    stop();
    clearInterval(beat);
    answer.off('close', onClose);
    leaving.removeEventListener('abort', onLeaving);
  }
}

/** Two that came while the first one waited. */
function merged(a: LiveChange, b: LiveChange): LiveChange {
  const named = (of: 'agents' | 'runs'): LiveChange['agents'] => {
    const [first, second] = [a[of], b[of]];
    if (first === 'many' || second === 'many') return 'many';
    const ids = [...new Set([...first, ...second])];
    return ids.length > 50 ? 'many' : ids;
  };
  return {
    time: b.time,
    agents: named('agents'),
    runs: named('runs'),
    flows: a.flows || b.flows,
    releases: a.releases || b.releases,
    events: a.events || b.events,
    commands: a.commands || b.commands,
    audit: a.audit || b.audit,
    tokens: a.tokens || b.tokens,
  };
}
