import type { Status } from '../../schemas/status.ts';
import { shortDigests, type Terminal } from '../terminal.ts';

/** Of a machine that has a console and is no agent of it. */
export const NO_AGENT =
  'none: this machine is no agent of its console; enrol it with a new token: edge-agent enroll';

/** What the console has against this agent, in a few words; the row Identity says the rest. Null: nothing. */
export function doubtedIdentity({
  identity,
}: Pick<Status, 'identity'>): { label: string; says: string } | null {
  switch (identity?.state) {
    case 'revoked':
      return { label: 'Revoked', says: 'the console takes nothing more from this agent' };
    case 'key_retired':
      return { label: 'Key retired', says: 'the device key of this machine was replaced elsewhere' };
    case 'conflict':
      return { label: 'Conflict', says: 'another machine speaks with the identity of this agent' };
    default:
      return null;
  }
}

/** The message of Ready ends with what is said of the identity, for those who read that alone. */
export function withoutIdentity(message: string, { identity }: Pick<Status, 'identity'>): string {
  const end = identity?.message == null ? '' : `; ${identity.message}`;
  return end !== '' && message.endsWith(end) ? message.slice(0, -end.length) : message;
}

export function unenrolledVerdict(status: Status, terminal: Terminal): string {
  const ready = status.conditions.find(({ type }) => type === 'Ready');
  const was = ready === undefined ? '' : `; when last looked at: ${shortDigests(ready.message)}`;
  return `${terminal.paint('yellow', '! Not enrolled')}  this machine is no agent${was}`;
}
