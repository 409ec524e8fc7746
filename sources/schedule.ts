import type { Clock, EventSink, StateDocuments } from '../reconciler/ports.ts';
import { type CronFields, parseCron } from '../schemas/cron.ts';
import { ScheduleMark } from '../schemas/schedule-mark.ts';
import { createWallClock, scheduledTimes, type WallClock } from './schedule-times.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** A time that comes up so much later was missed: the machine slept, or its clock was set forward. */
const LATE_MS = MINUTE_MS;
/** Times before that are not looked at after a long absence. */
const LOOK_BACK_MS = 31 * DAY_MS;
/** Flows whose runs are put into the database in one transaction; others have their turn between two of them. */
const AT_ONCE = 100;

/** An active flow that has a schedule. */
export interface ScheduledFlow {
  readonly flow: string;
  /** Five fields of cron. */
  readonly schedule: string;
  readonly missed: 'skip' | 'run_once';
  /** When the version, or its schedule, came into force (RFC 3339). */
  readonly since: string;
}

export interface ScheduleDeps {
  readonly clock: Clock;
  readonly documents: Pick<StateDocuments, 'read' | 'write' | 'delete' | 'list' | 'transaction'>;
  readonly events: EventSink;
  /** Asked every minute. */
  readonly flows: () => readonly ScheduledFlow[];
  /** IANA name, or null for the system's. Asked every minute. */
  readonly timezone: () => string | null;
  /**
   * Queues the run of a time, once, however often it is asked. A text says why it came to nothing; null when nothing is to be
   * said. Called in a transaction; throws when the store cannot be written.
   */
  readonly trigger: (run: { flow: string; at: Date; because: string }) => string | null;
  /** The database could not be written: the times are considered again a minute later. */
  readonly onFault: (error: unknown) => void;
}

export interface Schedules {
  /** Triggers runs until the signal aborts: first for what was missed, then every minute. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

/** What is known of a flow's schedule: up to when its times have been considered. */
interface Course {
  readonly schedule: string;
  readonly timezone: string | null;
  readonly fields: CronFields;
  considered: number;
  /** `considered` as it is on disk; 0 when it is not there. */
  stored: number;
}

/**
 * Triggers the runs of `schedule`, minute by minute. Up to when times were considered is kept on disk (`schedule/<flow>`), so
 * that a restart, a sleep or a clock set forward knows what it missed. Why not a timer for each: docs/decisions/0063.
 */
export function createSchedules(deps: ScheduleDeps): Schedules {
  const { clock, documents, events } = deps;
  const courses = new Map<string, Course>();
  let wall: { timezone: string | null; clock: WallClock } | null = null;
  /** When it was last looked in this life: a flow that comes now, or another schedule, has no past before that. */
  let looked = 0;

  function wallClock(): WallClock {
    const timezone = deps.timezone();
    if (wall?.timezone !== timezone) wall = { timezone, clock: createWallClock(timezone) };
    return wall.clock;
  }

  function courseOf({ flow, schedule, since }: ScheduledFlow): Course | null {
    const timezone = deps.timezone();
    const known = courses.get(flow);
    if (known?.schedule === schedule && known.timezone === timezone) return known;
    const fields = parseCron(schedule);
    if (typeof fields === 'string') return null;
    const stored =
      known === undefined ? ScheduleMark.safeParse(documents.read(`schedule/${flow}`)).data : null;
    const goesOn = stored?.schedule === schedule && stored.timezone === timezone;
    const begun = Math.max(looked, Date.parse(since));
    const at = goesOn ? Date.parse(stored.considered) : begun;
    const course = { schedule, timezone, fields, considered: at, stored: goesOn ? at : 0 };
    courses.set(flow, course);
    return course;
  }

  function consider(flow: ScheduledFlow, now: number, started: boolean): (() => void) | null {
    const course = courseOf(flow);
    if (course === null) return null;
    const minute = Math.floor(now / MINUTE_MS) * MINUTE_MS;
    // the clock was set back: times that come again have runs already, which the trigger knows
    const after = Math.max(Math.min(course.considered, minute), minute - LOOK_BACK_MS);
    const { count, last } = scheduledTimes(course.fields, { after, until: minute }, wallClock());
    if (last !== null) trigger(flow, { after, count, last, now, started });
    else if (course.stored !== 0 && Math.abs(minute - course.stored) < DAY_MS) {
      return () => {
        course.considered = minute;
      };
    }
    const { schedule, timezone } = course;
    const considered = new Date(minute).toISOString();
    documents.write(`schedule/${flow.flow}`, { schedule, timezone, considered } satisfies ScheduleMark);
    return () => {
      course.considered = minute;
      course.stored = minute;
    };
  }

  function trigger(
    { flow, schedule, missed }: ScheduledFlow,
    due: { after: number; count: number; last: number; now: number; started: boolean },
  ): void {
    const at = new Date(due.last);
    const onTime = !due.started && due.now - due.last < LATE_MS;
    const misses = due.count - (onTime ? 1 : 0);
    const once = missed === 'run_once';
    if (misses > 0) {
      const came = onTime
        ? 'the next is on time'
        : once
          ? 'one run makes up for it'
          : 'nothing makes up for it';
      const times = misses === 1 ? 'one scheduled time' : `${misses} scheduled times`;
      const since = new Date(due.after).toISOString();
      const message = `flow ${flow}: ${times} of "${schedule}" went by since ${since}; ${came}`;
      events.emit({
        severity: 'warning',
        reason: 'ScheduleMissed',
        message,
        because: `missed: ${missed}`,
        flow,
      });
    }
    if (!onTime && !once) return;
    const because = `schedule "${schedule}" of ${at.toISOString()}`;
    const nothing = deps.trigger({ flow, at, because });
    if (nothing === null) return;
    const message = `flow ${flow}: the run of ${at.toISOString()} came to nothing: ${nothing}`;
    events.emit({ severity: 'warning', reason: 'RunSkipped', message, because, flow });
  }

  /** `started`: the first look of this life; what was due before it was missed. */
  async function look(now: number, started: boolean, signal: AbortSignal): Promise<void> {
    const flows = deps.flows();
    for (let at = 0; at < flows.length && !signal.aborted; at += AT_ONCE) {
      if (at > 0) await clock.sleep(0, signal);
      const done = documents.transaction(() =>
        flows.slice(at, at + AT_ONCE).map((flow) => consider(flow, now, started)),
      );
      for (const keep of done) keep?.();
    }
    forgetOthers(flows, started);
    looked = now;
  }

  /** A flow that has left, or its schedule, begins anew should it come back. */
  function forgetOthers(flows: readonly ScheduledFlow[], started: boolean): void {
    const here = new Set(flows.map(({ flow }) => flow));
    const gone = started ? storedFlows() : [];
    for (const flow of [...gone, ...courses.keys()]) {
      if (here.has(flow)) continue;
      courses.delete(flow);
      documents.delete(`schedule/${flow}`);
    }
  }

  function storedFlows(): string[] {
    return documents.list('schedule/').map(({ key }) => key.slice('schedule/'.length));
  }

  return {
    async run(signal) {
      for (let started = true; !signal.aborted; started = false) {
        const now = clock.now().getTime();
        await look(now, started, signal).catch((error: unknown) => {
          if (!signal.aborted) deps.onFault(error);
        });
        // The minute after the one that was looked at: a timer that fires a moment early must not cost a whole minute.
        const next = (Math.floor(now / MINUTE_MS) + 1) * MINUTE_MS;
        const wait = Math.min(MINUTE_MS, Math.max(0, next - clock.now().getTime()));
        await clock.sleep(wait, signal).catch(() => undefined);
      }
    },
  };
}
