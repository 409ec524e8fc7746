import type { Clock } from '../../reconciler/ports.ts';

/**
 * Tells whether time jumped since it was asked last: the machine slept (the wall clock goes on, the monotonic one does not on
 * Linux), the process was stopped (both go on), or the clock was set. A TCP connection seldom survives the first two.
 */
export function createJumpWatch(clock: Clock, limitMs: number): (expectedMs: number) => boolean {
  let wall = clock.now().getTime();
  let monotonic = clock.monotonicMs();
  return (expectedMs) => {
    const now = { wall: clock.now().getTime(), monotonic: clock.monotonicMs() };
    const passed = [now.wall - wall, now.monotonic - monotonic];
    ({ wall, monotonic } = now);
    return passed.some((ms) => Math.abs(ms - expectedMs) > limitMs);
  };
}
