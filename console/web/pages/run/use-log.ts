import { useEffect, useMemo, useState } from 'preact/hooks';
import { queryText } from '../../api/client.ts';
import { type FollowState, followLog } from './log-follow.ts';
import { createLogText, type LogText } from './log-text.ts';

/** Of a larger log the end is shown: 64 MiB would take longer than somebody waits. */
const SHOWN_BYTES = 16 * 1024 * 1024;

export interface LogPlace {
  readonly agentId: string;
  readonly runId: string;
  readonly stream: 'stdout' | 'stderr';
  readonly attempt: number;
}

/** The address of a stream, for `follow` and for `download`. */
export function logAddress({ agentId, runId, stream, attempt }: LogPlace): string {
  const run = `/api/agents/${encodeURIComponent(agentId)}/runs/${encodeURIComponent(runId)}/log`;
  return run + queryText({ stream, attempt });
}

/**
 * A stream of a run as it comes. `bytes`: how much of it there was when the page came to it. `text` stays the same object and
 * grows; each drawing after it did is one frame of the browser's, however fast lines come.
 */
export function useLog(
  place: LogPlace,
  bytes: number,
): { text: LogText; state: FollowState; skipped: number } {
  const { agentId, runId, stream, attempt } = place;
  const address = logAddress({ agentId, runId, stream, attempt });
  const [state, setState] = useState<FollowState>('connecting');
  const [, draw] = useState(0);
  // Only where it was when somebody came counts: what grows past it is followed from there.
  // oxlint-disable-next-line react-hooks/exhaustive-deps -- `bytes` grows, and is to be read once an address
  const skipped = useMemo(() => (bytes > SHOWN_BYTES ? bytes - SHOWN_BYTES : 0), [address]);
  // oxlint-disable-next-line react-hooks/exhaustive-deps -- another address is another text
  const text = useMemo(() => createLogText(), [address]);
  useEffect(() => {
    let frame = 0;
    // What is skipped ends within a line: its rest is no line of its own.
    let isWithin = skipped > 0;
    setState('connecting');
    const stop = followLog({
      address,
      from: skipped,
      onState: setState,
      onText: (found) => {
        let fresh = found;
        if (isWithin) {
          const end = fresh.indexOf('\n');
          if (end < 0) return;
          fresh = fresh.slice(end + 1);
          isWithin = false;
        }
        text.add(fresh);
        frame ||= requestAnimationFrame(() => {
          frame = 0;
          draw((count) => count + 1);
        });
      },
    });
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [address, skipped, text]);
  return { text, state, skipped };
}
