import { z } from 'zod';
import type { Clock, EventSink, StateDocuments } from '../reconciler/ports.ts';
import { createWakeUp } from '../sinks/wake-up.ts';
import type { Log } from '../system/log.ts';
import type { DeviceKeyStore } from '../trust/key-stores/port.ts';
import type { KeyRotation, RotationOutcome } from './key-rotation.ts';

const DAY_MS = 24 * 60 * 60_000;
/** Between two changes that nobody asked for; agents that began together do not all come on one day. */
const KEY_LIFE_MS = 90 * DAY_MS;
const KEY_SPREAD_MS = 10 * DAY_MS;
/** After a change that did not come about. */
const AGAIN_AFTER_MS = DAY_MS;
const AGAIN_AFTER_CUT_MS = 5 * 60_000;
/** The console may ask as often as it likes: once in so long counts. */
const ASKED_EVERY_MS = 60_000;
const LOOK_EVERY_MS = 60 * 60_000;
const DOCUMENT = 'device-key';

/** `device-key`: since when the key that has this thumbprint is in use here. */
const DeviceKeyAge = z.object({ thumbprint: z.string(), since: z.string() });

export interface KeySchedule {
  /** The daemon's part: changes the key when it is old, or asked for, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** The console asks for it. */
  asked(): void;
  /** By hand. What came of it is an event too. */
  now(signal: AbortSignal): Promise<RotationOutcome>;
}

export function createKeySchedule(parts: {
  readonly rotation: KeyRotation;
  readonly store: () => Promise<DeviceKeyStore>;
  readonly documents: Pick<StateDocuments, 'read' | 'write'>;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly log: Log;
}): KeySchedule {
  const { rotation, documents, events, clock, log } = parts;
  const wakeUp = createWakeUp(clock);
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let isAsked = false;

  const tell = (outcome: RotationOutcome) => {
    switch (outcome.kind) {
      case 'changed': {
        const { before, thumbprint } = outcome;
        documents.write(DOCUMENT, { thumbprint, since: clock.now().toISOString() });
        const message = `the device key of this agent is ${thumbprint} now, in the place of ${before}`;
        events.emit({ severity: 'info', reason: 'DeviceKeyChanged', message });
        return;
      }
      case 'unsupported':
      case 'refused': {
        const message = 'the device key stays as it is';
        events.emit({ severity: 'warning', reason: 'DeviceKeyKept', message, because: outcome.message });
        return;
      }
      case 'no_answer':
        log.info('The device key could not be changed now', { because: outcome.message });
        return;
      case 'not_enrolled':
    }
  };

  const change = async (signal: AbortSignal): Promise<RotationOutcome> => {
    const outcome = await rotation.rotate(signal);
    tell(outcome);
    return outcome;
  };

  /** How long the key in use may go on; null when there is none. */
  const dueInMs = async (): Promise<number | null> => {
    const key = await (await parts.store()).read('current');
    if (key === null) return null;
    const known = DeviceKeyAge.safeParse(documents.read(DOCUMENT)).data;
    const now = clock.now();
    const since = known?.thumbprint === key.kid ? Date.parse(known.since) : Number.NaN;
    if (!(since <= now.getTime())) {
      documents.write(DOCUMENT, { thumbprint: key.kid, since: now.toISOString() });
      return KEY_LIFE_MS;
    }
    // of the key itself: the same at every look
    const spread = (Buffer.from(key.kid, 'base64url').readUInt16BE(0) / 0x1_00_00) * KEY_SPREAD_MS;
    return since + KEY_LIFE_MS + spread - now.getTime();
  };

  return {
    asked() {
      const now = clock.monotonicMs();
      if (now - askedAtMs < ASKED_EVERY_MS) return;
      askedAtMs = now;
      isAsked = true;
      wakeUp.now();
    },
    now: change,
    async run(signal) {
      const cut = await rotation.settle(signal);
      if (cut !== null) tell(cut);
      let notBeforeMs = Number.NEGATIVE_INFINITY;
      if (cut !== null && cut.kind !== 'changed') notBeforeMs = clock.monotonicMs() + AGAIN_AFTER_CUT_MS;
      while (!signal.aborted) {
        const due = await dueInMs();
        const left = Math.max(due ?? LOOK_EVERY_MS, notBeforeMs - clock.monotonicMs());
        if (!isAsked && left > 0) {
          await wakeUp.within(Math.min(left, LOOK_EVERY_MS), signal);
          continue;
        }
        isAsked = false;
        const { kind } = await change(signal);
        if (kind !== 'changed') {
          notBeforeMs = clock.monotonicMs() + (kind === 'no_answer' ? AGAIN_AFTER_CUT_MS : AGAIN_AFTER_MS);
        }
      }
    },
  };
}
