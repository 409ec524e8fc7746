import type { CommandRefusalCode } from '../schemas/reasons.ts';
import type { Clock, CommandChannel, CommandRefused, EventSink } from './ports.ts';

const NOTICE_GAP_MS = 10_000;

/**
 * Says of a refused command why, at most once in 10 s for each code: whoever can reach the agent can send nonsense, and must
 * not fill its disk. What was passed over is counted in the next event of the code.
 */
export function createRefusalNotices(
  events: EventSink,
  clock: Clock,
): (refused: CommandRefused, via: CommandChannel) => void {
  const told = new Map<CommandRefusalCode, { atMs: number; since: number }>();
  return ({ code, message, commandId }, via) => {
    const last = told.get(code);
    if (last !== undefined && clock.monotonicMs() - last.atMs < NOTICE_GAP_MS) {
      last.since += 1;
      return;
    }
    told.set(code, { atMs: clock.monotonicMs(), since: 0 });
    const which = commandId === null ? 'a command' : `the command that calls itself ${commandId}`;
    const more = last === undefined || last.since === 0 ? '' : ` (${last.since} more were refused like it)`;
    const text = `${which}, through ${via}, is not believed: ${message}${more}`;
    events.emit({ severity: 'warning', reason: 'CommandRefused', message: text, because: code });
  };
}
