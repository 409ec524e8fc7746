import { cleanUpIsDue } from '../reconciler/clean-up-time.ts';
import type { Clock } from '../reconciler/ports.ts';
import type { AgentRecords } from '../reconciler/records.ts';
import type { Log } from '../system/log.ts';
import type { EffectiveSettings } from './effective-settings.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** After the first reconcile, so that being Ready does not wait for gigabytes to be hashed. */
const FIRST_DEEP_CHECK_MS = 5_000;

export interface UpkeepParts {
  readonly records: Pick<AgentRecords, 'lastCleanUp' | 'setLastCleanUp'>;
  readonly settings: () => Pick<EffectiveSettings, 'retention' | 'timezone'>;
  readonly collectGarbage: (signal: AbortSignal) => Promise<unknown>;
  /** Hash the active versions now. */
  readonly checkDeep: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The weekly clean-up and the daily check of what is on disk, until the signal aborts. A disk that takes no more does not end it. */
export async function upkeep(parts: UpkeepParts, signal: AbortSignal): Promise<void> {
  const { records, clock, log } = parts;
  let deepAt = clock.monotonicMs() + FIRST_DEEP_CHECK_MS;
  /** The last try of this life, which a full disk may not have let be written down. */
  let tried: Date | null = null;

  function noteTry(): void {
    tried = clock.now();
    try {
      records.setLastCleanUp(tried);
    } catch (error) {
      log.error('the time of the clean-up could not be written', { error });
    }
  }

  async function look(): Promise<void> {
    if (clock.monotonicMs() >= deepAt) {
      deepAt = clock.monotonicMs() + DAY_MS;
      parts.checkDeep();
    }
    const { retention, timezone } = parts.settings();
    const last = later(records.lastCleanUp(), tried);
    // a new machine has nothing to clean up: its time begins now
    if (last === null) return noteTry();
    if (!cleanUpIsDue(retention.schedule, timezone, last, clock.now())) return;
    try {
      await parts.collectGarbage(signal);
    } catch (error) {
      if (!signal.aborted) log.error('the clean-up failed; it is tried again at its next time', { error });
      noteTry();
    }
  }

  for (;;) {
    const untilMinute = MINUTE_MS - (clock.now().getTime() % MINUTE_MS);
    const untilDeep = Math.max(0, deepAt - clock.monotonicMs());
    await clock.sleep(Math.min(untilMinute, untilDeep), signal).catch(() => undefined);
    if (signal.aborted) return;
    await look().catch((error: unknown) => {
      log.error('whether to clean up could not be found out; it is looked at again in a minute', { error });
    });
  }
}

function later(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}
