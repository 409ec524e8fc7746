import { createLogChunks, type LogChunk } from './log-chunks.ts';

export type FollowState = 'connecting' | 'live' | 'reconnecting' | 'ended';

const AGAIN_FIRST_MS = 1_000;
const AGAIN_LAST_MS = 15_000;

/**
 * Hears what a run prints, from byte `from` on until it has ended, and goes on where it was after a break. Returns what ends it.
 */
export function followLog(options: {
  /** Of the stream, without offset. */
  readonly address: string;
  readonly from: number;
  readonly onText: (text: string) => void;
  readonly onState: (state: FollowState) => void;
}): () => void {
  const { address, onText, onState } = options;
  const chunks = createLogChunks(options.from);
  let source: EventSource | null = null;
  let again: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;

  const open = () => {
    source = new EventSource(`${address}&follow=true&offset=${chunks.next}`);
    source.addEventListener('open', () => {
      tries = 0;
      onState('live');
    });
    source.addEventListener('log', ({ data }: MessageEvent<string>) => {
      onText(chunks.take(JSON.parse(data) as LogChunk));
    });
    source.addEventListener('end', () => {
      source?.close();
      onState('ended');
    });
    source.addEventListener('error', () => {
      // The browser's own way to connect again gives up at the first answer that is not 200; ours does not.
      source?.close();
      onState('reconnecting');
      const wait = Math.min(AGAIN_LAST_MS, AGAIN_FIRST_MS * 2 ** tries);
      tries += 1;
      again = setTimeout(open, wait * (0.75 + Math.random() / 2));
    });
  };
  open();
  return () => {
    source?.close();
    clearTimeout(again);
  };
}
