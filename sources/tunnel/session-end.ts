import type { Pace } from './reconnect.ts';

/** Close codes (docs/spec/tunnel.md); 4000-4999 are an application's own (RFC 6455, section 7.4.2). */
export const CLOSE = {
  done: 1000,
  broken: 1006,
  binary: 1003,
  rules: 1008,
  replaced: 4001,
  revoked: 4003,
  silence: 4008,
  conflict: 4009,
} as const;

/** How a connection ended, and what follows. */
export interface SessionEnd {
  readonly pace: Pace;
  /** The least wait the console asked for, in milliseconds. */
  readonly askedMs: number;
  /** One sentence. */
  readonly message: string;
  /** A frame that is one came after the hello, and the console kept to the rules: the backoff starts anew. */
  readonly healthy: boolean;
  /** Nothing went wrong: a goaway, or the agent stops. */
  readonly planned: boolean;
}

/** `broken`: what the socket said before it closed, where it said something. */
export function endedByConsole(
  code: number,
  reason: string,
  broken: string | null,
): Omit<SessionEnd, 'healthy'> {
  const said = reason === '' ? '' : `: ${printable(reason)}`;
  switch (code) {
    case CLOSE.replaced:
      return unplanned(
        'replaced',
        `a newer connection of this agent took its place (${code}${said}); if no other was started, two machines have the same device key: on the one that is a copy run "edge-agent unenroll --local", then enrol it with a token of its own`,
      );
    case CLOSE.revoked:
      return unplanned(
        'slow',
        `the console no longer takes this agent (${code}${said}); ask who runs it, or enrol again with edge-agent enroll`,
      );
    case CLOSE.conflict:
      return unplanned(
        'slow',
        `another machine with the identity of this agent has the connection (${code}${said}); on the one that is a copy run "edge-agent unenroll --local", then enrol it with a token of its own`,
      );
    case CLOSE.broken:
      return unplanned('backoff', `the connection broke off${broken === null ? '' : `: ${broken}`}`);
    default:
      return unplanned('backoff', broken ?? `the console closed it (${code}${said})`);
  }
}

export function unplanned(pace: Pace, message: string): Omit<SessionEnd, 'healthy'> {
  return { pace, message, askedMs: 0, planned: false };
}

/** Text of the other side, for one line of a log. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, ' ').slice(0, 200);
}

/** A close frame holds 123 bytes of reason (RFC 6455, section 5.5). */
export function closeReason(message: string): string {
  return message.replace(/[^\x20-\x7e]/g, '?').slice(0, 120);
}
