import type { Event } from '../../schemas/event.ts';
import { shortDigests, type Terminal } from '../terminal.ts';

/** One line of the history for people. */
export function renderEvent(event: Event, terminal: Terminal): string {
  const { paint } = terminal;
  const colour = event.severity === 'error' ? 'red' : event.severity === 'warning' ? 'yellow' : 'green';
  const because = event.because === undefined ? '' : paint('dim', `  because ${event.because}`);
  const repeated =
    event.repeated === undefined ? '' : paint('dim', `  (the one before ${event.repeated} times more)`);
  return `${paint('dim', event.time)}  ${paint(colour, event.reason.padEnd(18))} ${shortDigests(event.message)}${shortDigests(because)}${repeated}`;
}
