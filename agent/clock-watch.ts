import type { Clock, EventSink } from '../reconciler/ports.ts';
import { type ClockOffset, createClockEstimate } from '../system/clock-estimate.ts';

/** Told of beyond this, and of its end within half of it, so that a clock at the edge is not told of for ever. */
const NOTICE_MS = 60_000;

/** After this long without a word another server's clock counts. */
const SILENT_MS = 15 * 60_000;

/** Whose `Date` it was. The console comes first: it is the one that judges our tokens. */
export type ClockSource = 'console' | 'other';

export interface ClockWatch {
  /** The `Date` of an answer that TLS vouches for (or that came over loopback). */
  measured(source: ClockSource, offset: ClockOffset, origin: string): void;
  /** By the console where it has answered, else by the first of the others; null while nobody has. */
  offset(): ClockOffset | null;
  /** What request tokens go by: the console's alone. */
  consoleOffsetMs(): number;
}

/**
 * What servers say of this machine's clock. It is shown, and request tokens go by it; releases and what runs go by the machine's
 * own clock, so that no server moves them (decision 0085).
 */
export function createClockWatch(clock: Clock, events: () => EventSink): ClockWatch {
  const anew = () => createClockEstimate(() => clock.monotonicMs());
  const estimates = { console: anew(), other: anew() };
  let other: { origin: string; atMs: number } | null = null;
  let told = false;
  const offset = () => estimates.console.value() ?? estimates.other.value();

  const notice = (source: ClockSource) => {
    const found = offset();
    if (found === null) return;
    const surely = Math.max(0, Math.abs(found.offsetMs) - found.errorMs);
    if (!told && surely > NOTICE_MS) {
      told = true;
      const now = clock.now().toISOString();
      const message = `this machine's clock is ${describeOffset(found)} ${byWhom(source)}; set it, and let it be kept right (NTP)`;
      events().emit({ severity: 'warning', reason: 'ClockSkewed', message, because: `it says ${now}` });
    } else if (told && Math.abs(found.offsetMs) + found.errorMs < NOTICE_MS / 2) {
      told = false;
      const message = `this machine's clock is right again (${describeOffset(found)} ${byWhom(source)})`;
      events().emit({ severity: 'info', reason: 'ClockCorrected', message });
    }
  };

  return {
    measured(source, measured, origin) {
      if (source === 'other') {
        // servers that contradict each other would make it wrong and right by turns: the first one counts, which is the source
        const atMs = clock.monotonicMs();
        const silent = other === null || atMs - other.atMs > SILENT_MS;
        if (origin !== other?.origin && !silent) return;
        if (origin !== other?.origin) estimates.other = anew();
        other = { origin, atMs };
      }
      estimates[source].add(measured);
      notice(estimates.console.value() === null ? 'other' : 'console');
    },
    offset,
    consoleOffsetMs: () => estimates.console.value()?.offsetMs ?? 0,
  };
}

/** "10 min behind", for people; theirs minus ours. */
export function describeOffset({ offsetMs, errorMs }: ClockOffset): string {
  const way = offsetMs >= 0 ? 'behind' : 'ahead of';
  return `${duration(Math.abs(offsetMs))} (± ${duration(errorMs)}) ${way}`;
}

function byWhom(source: ClockSource): string {
  return source === 'console' ? "the console's" : "the servers'";
}

function duration(ms: number): string {
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${(ms / 3_600_000).toFixed(1)} h`;
  return `${Math.round(ms / 86_400_000)} days`;
}
