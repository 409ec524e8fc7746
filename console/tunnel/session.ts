import type { WebSocket } from 'ws';
import type { ConsoleLimits } from '../limits.ts';
import type { CloseReason } from './close-code.ts';
import { createLogAcks, type LogAcks } from './log-acks.ts';

const TEXT = { binary: false, compress: false } as const;

/** What the agent is to be told that is not in the database: as little as can be, whatever has happened meanwhile. */
interface Untold {
  /** The latest nudge; undefined when there is none. */
  nudge: Buffer | undefined;
  /** Frame ids, at most as many as were read while there was room. */
  taken: string[];
  refused: { id: string; code: string; message: string }[];
  readonly logs: LogAcks;
}

/** One connection of one agent. There are ten thousand of these: no timers, no buffers of its own. Times are monotonic. */
export interface Session {
  readonly id: string;
  readonly agentId: string;
  readonly tenant: string;
  readonly since: string;
  /** Where it comes from. */
  readonly address: string;
  readonly socket: WebSocket;
  /** Which process of the agent it is; null until its hello. */
  boot: string | null;
  /** `greeting`: the agent's hello has not come yet. */
  phase: 'greeting' | 'open' | 'ended';
  heardAt: number;
  nextBeatAt: number;
  seenAt: number;
  /** Bytes given to the socket, those of them that have left, and when that was last more than before. */
  sent: number;
  drained: number;
  drainedAt: number;
  /** The last command offered on this connection, by its row; how many of them have no answer yet, and since when. */
  offered: number;
  unanswered: number;
  offeredAt: number;
  moreCommands: boolean;
  /** Commands are being read for it. */
  offering: boolean;
  /** Token bucket of what the agent sends. */
  level: number;
  levelAt: number;
  untold: Untold | null;
}

export function createSession(
  facts: Pick<Session, 'id' | 'agentId' | 'tenant' | 'since' | 'address' | 'socket'>,
  now: number,
  firstBeatAt: number,
  limits: ConsoleLimits,
): Session {
  return {
    ...facts,
    boot: null,
    phase: 'greeting',
    heardAt: now,
    nextBeatAt: firstBeatAt,
    seenAt: now,
    sent: 0,
    drained: 0,
    drainedAt: now,
    offered: 0,
    unanswered: 0,
    offeredAt: 0,
    moreCommands: true,
    offering: false,
    level: limits.tunnelBurst,
    levelAt: now,
    untold: null,
  };
}

export function untoldOf(session: Session, limits: ConsoleLimits): Untold {
  session.untold ??= { nudge: undefined, taken: [], refused: [], logs: createLogAcks(limits.logAckBytes) };
  return session.untold;
}

/** Whether one more frame may be put into the socket's buffer. */
export function hasRoom(session: Session, limits: ConsoleLimits): boolean {
  return session.socket.readyState === 1 && session.socket.bufferedAmount < limits.tunnelBufferBytes;
}

/** The caller has asked `hasRoom`. `onDrained` is called when what filled the buffer has left it. */
export function sendFrame(
  session: Session,
  frame: Buffer,
  limits: ConsoleLimits,
  onDrained: () => void,
): void {
  session.sent += frame.byteLength;
  const fills = session.socket.bufferedAmount + frame.byteLength >= limits.tunnelBufferBytes;
  session.socket.send(frame, TEXT, fills ? onDrained : undefined);
}

/** True when nothing of what waits has left the socket for `tunnelSilenceMs`. */
export function isStuck(session: Session, now: number, limits: ConsoleLimits): boolean {
  const { bufferedAmount } = session.socket;
  const drained = session.sent - bufferedAmount;
  if (bufferedAmount === 0 || drained > session.drained) session.drainedAt = now;
  session.drained = drained;
  return now - session.drainedAt > limits.tunnelSilenceMs;
}

/** Takes `cost` tokens for a frame that was read. False when the agent should not be read for a while. */
export function spend(session: Session, cost: number, now: number, limits: ConsoleLimits): boolean {
  const refill = ((now - session.levelAt) / 1_000) * limits.tunnelPerSecond;
  session.level = Math.min(limits.tunnelBurst, session.level + refill) - cost;
  session.levelAt = now;
  return session.level > 0;
}

/** Says goodbye; ws ends the connection for good when the other side does not answer. */
export function closeSession(session: Session, { code, reason }: CloseReason): void {
  session.socket.resume();
  session.socket.close(code, reason);
}
