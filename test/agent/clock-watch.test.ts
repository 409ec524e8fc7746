import { describe, expect, it } from 'vitest';
import { createClockWatch } from '../../agent/clock-watch.ts';
import type { EventDraft } from '../../schemas/event.ts';
import { createManualClock } from '../../system/clock.ts';

function watching() {
  const events: EventDraft[] = [];
  const clock = createManualClock(new Date('2026-11-21T12:00:00Z'));
  const watch = createClockWatch(clock, () => ({ emit: (draft) => void events.push(draft) }));
  return { watch, events, clock };
}
const [CONSOLE, GIT, STORE] = ['https://console.example', 'https://git.example', 'https://s3.example'];
const min = (minutes: number) => ({ offsetMs: minutes * 60_000, errorMs: 510 });

describe("this machine's clock", () => {
  it('is told of once when it is more than a minute off, and once when it is right again', () => {
    const { watch, events } = watching();
    for (let time = 0; time < 5; time += 1) watch.measured('console', min(10), CONSOLE);
    expect(events.map(({ reason }) => reason)).toEqual(['ClockSkewed']);
    expect(events[0]?.message).toBe(
      "this machine's clock is 10 min (± 0.5 s) behind the console's; set it, and let it be kept right (NTP)",
    );
    for (let time = 0; time < 3; time += 1) watch.measured('console', min(0), CONSOLE);
    expect(events.map(({ reason }) => reason)).toEqual(['ClockSkewed', 'ClockCorrected']);
    watch.measured('console', min(-120), CONSOLE);
    expect(events.at(-1)?.message).toContain('2.0 h (± 0.5 s) ahead of the console');
  });

  it('is not called wrong for an answer that took its time', () => {
    const { watch, events } = watching();
    watch.measured('console', { offsetMs: 65_000, errorMs: 20_000 }, CONSOLE);
    expect(events).toEqual([]);
  });

  it('is judged by the console where it has answered, and by the others until then', () => {
    const { watch, events } = watching();
    expect(watch.offset()).toBeNull();
    watch.measured('other', min(30), GIT);
    expect(watch.offset()).toEqual(min(30));
    expect(events[0]?.message).toContain("30 min (± 0.5 s) behind the servers'");
    watch.measured('console', min(0), CONSOLE);
    expect(watch.offset()).toEqual(min(0));
    expect(events.map(({ reason }) => reason)).toEqual(['ClockSkewed', 'ClockCorrected']);
  });

  it('is judged by one of the others, which stay silent for a quarter of an hour before another counts', async () => {
    const { watch, clock, events } = watching();
    watch.measured('other', min(30), GIT);
    watch.measured('other', min(0), STORE);
    expect(watch.offset()).toEqual(min(30));
    await clock.advance(16 * 60_000);
    watch.measured('other', min(0), STORE);
    expect(watch.offset()).toEqual(min(0));
    expect(events.map(({ reason }) => reason)).toEqual(['ClockSkewed', 'ClockCorrected']);
  });

  it('moves no token by what others than the console say', () => {
    const { watch } = watching();
    watch.measured('other', min(30), GIT);
    expect(watch.consoleOffsetMs()).toBe(0);
    watch.measured('console', min(-5), CONSOLE);
    expect(watch.consoleOffsetMs()).toBe(-300_000);
  });
});
