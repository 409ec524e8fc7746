import type {
  Chance,
  Clock,
  RunOutputReader,
  TunnelFeed,
  TunnelLink,
  TunnelPeer,
} from '../reconciler/ports.ts';
import type { RunReport } from '../schemas/run.ts';
import type { Status } from '../schemas/status.ts';
import { createFrameQueue } from './frame-queue.ts';
import { createRunLogFeed } from './run-log-feed.ts';

/** Frames of runs that wait for the console or its acknowledgement, at most. */
const FRAMES_MAX = 1_000;
const FRAMES_MAX_BYTES = 16 * 1024 * 1024;
/** A larger report goes without the list of its outputs; the notify call has it. */
const REPORT_MAX_CHARACTERS = 256 * 1024;
/** The least time between two statuses: a burst of changes is one. */
const STATUS_GAP_MS = 200;

/** The feed's half of what the tunnel tells. */
export type TunnelFeedPeer = Pick<
  TunnelPeer,
  'opened' | 'closed' | 'drained' | 'acknowledged' | 'logAcknowledged'
>;

export interface TunnelFeedDeps {
  readonly output: RunOutputReader;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Something of ours went wrong: a file that cannot be read, a status that cannot be made. */
  readonly onFault: (error: unknown) => void;
}

/**
 * What goes out through the tunnel while there is one (contract, section 8): runs as they begin and end, kept until they are
 * acknowledged and sent again after a reconnect; the status, only ever the newest; what runs print. Nothing here throws or
 * waits, and memory is bounded whatever the console does: the durable way of a result is `POST /edge/notify`.
 */
export function createTunnelFeed(deps: TunnelFeedDeps): TunnelFeed & TunnelFeedPeer {
  const { clock, chance } = deps;
  const frames = createFrameQueue({ maxFrames: FRAMES_MAX, maxBytes: FRAMES_MAX_BYTES });
  const logs = createRunLogFeed(deps);
  let open: { readonly link: TunnelLink; readonly closing: AbortController } | null = null;
  let status: (() => Status) | null = null;
  /** `waiting`: for the gap to pass. `due`: at once, or when the link has room. */
  let owed: 'nothing' | 'waiting' | 'due' = 'nothing';
  let statusAtMs = Number.NEGATIVE_INFINITY;

  function pump(): void {
    if (open === null || !frames.send(open.link)) return;
    if (owed !== 'due' || status === null) return;
    try {
      if (!open.link.send('edgeflows.status', status())) return;
    } catch (error) {
      deps.onFault(error);
    }
    owed = 'nothing';
    statusAtMs = clock.monotonicMs();
  }

  /** Never within the call: it may come from the middle of a transaction, and a dozen times. */
  function oweStatus(): void {
    if (open === null || status === null || owed !== 'nothing') return;
    owed = 'waiting';
    const waitMs = Math.max(0, statusAtMs + STATUS_GAP_MS - clock.monotonicMs());
    const { signal } = open.closing;
    const wait = async () => {
      await clock.sleep(waitMs, signal).catch(() => {});
      if (signal.aborted) return;
      owed = 'due';
      pump();
    };
    void wait();
  }

  function closed(): void {
    open?.closing.abort();
    open = null;
    owed = 'nothing';
    frames.unsend();
    logs.closed();
  }

  return {
    started(run) {
      frames.add(chance.uuidv7(), 'edgeflows.run.started', run);
      logs.started(run);
      pump();
    },
    completed(report) {
      frames.add(chance.uuidv7(), 'edgeflows.run.completed', withoutOutput(report));
      logs.ended(report.run_id);
      pump();
    },
    statusChanged(provider) {
      status = provider;
      oweStatus();
    },
    opened(link) {
      closed();
      open = { link, closing: new AbortController() };
      pump();
      oweStatus();
      logs.opened(link);
    },
    closed,
    drained() {
      pump();
      logs.drained();
    },
    acknowledged: (ids) => frames.acknowledged(ids),
    logAcknowledged: (position) => logs.acknowledged(position),
  };
}

/** The notify body without what the run printed; without the list of its outputs too when that alone would fill a frame. */
function withoutOutput({ stdout: _stdout, stderr: _stderr, ...report }: RunReport): object {
  if (JSON.stringify(report).length <= REPORT_MAX_CHARACTERS) return report;
  return { ...report, outputs: [], outputs_omitted: report.outputs.length };
}
