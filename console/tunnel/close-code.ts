/** Why the console ends a tunnel session: the WebSocket close codes of docs/spec/tunnel.md. */
export const CLOSE = {
  goingAway: { code: 1001, reason: 'the console is closing' },
  noText: { code: 1003, reason: 'expected text frames' },
  replaced: { code: 4001, reason: 'replaced by a newer session' },
  protocol: { code: 4002, reason: 'expected CloudEvents frames, the first a hello of this agent' },
  revoked: { code: 4003, reason: 'the agent was revoked' },
  conflict: { code: 4009, reason: 'another machine speaks with the identity of this agent' },
  silent: { code: 4008, reason: 'nothing was heard, or nothing was read, for too long' },
} as const;
export type CloseReason = (typeof CLOSE)[keyof typeof CLOSE];
