import type { FastifyBaseLogger } from 'fastify';
import type { ConsoleLimits } from '../limits.ts';
import type { Notices } from '../notices.ts';
import type { ConsoleState } from '../state.ts';
import { type CommandOffers, createCommandOffers } from './command-offers.ts';
import { encodeFrame } from './frame.ts';
import type { Received } from './receiver.ts';
import { hasRoom, type Session, sendFrame, spend, untoldOf } from './session.ts';

const IDS_A_FRAME = 1_000;
const REFUSALS_A_FRAME = 100;

/**
 * What goes out to agents, and how fast they are read. Nothing is put into a socket whose buffer is full: it stays in the
 * database (commands), or is kept as little as can be (the latest nudge, acknowledgements), and an agent that does not take
 * what it asks for is not read any further. So the console's memory does not grow with what a slow agent is owed.
 */
export interface Outgoing {
  readonly offers: CommandOffers;
  frame(type: string, data: unknown, id?: string): Buffer;
  /** The caller has asked `hasRoom`, or sends what cannot wait (a hello, a goaway). */
  send(session: Session, frame: Buffer): void;
  nudge(session: Session, frame: Buffer): void;
  /** Answers, now or together with others, what came in the frame `frameId`. */
  settle(session: Session, frameId: string, received: Received): void;
  pong(session: Session, data: Buffer): void;
  /** Sends what there is to be told as far as there is room, and goes on reading when there is. */
  pump(session: Session): void;
  /** Stops reading for a while when what was read cost too much, or its answer would find no room. */
  throttle(session: Session, cost: number): void;
  isPaused(session: Session): boolean;
  /** Forgets what the session was owed. */
  drop(session: Session): void;
  close(): void;
}

export function createOutgoing(parts: {
  readonly state: ConsoleState;
  readonly limits: ConsoleLimits;
  readonly notices: Notices;
  readonly log: FastifyBaseLogger;
  /** More of it has been read than has been done. */
  readonly isBehind: (session: Session) => boolean;
}): Outgoing {
  const { state, limits, notices, log, isBehind } = parts;
  const paused = new Set<Session>();
  /** With something to tell at once, and with acknowledgements of logs that wait for company. */
  const soon = new Set<Session>();
  const later = new Set<Session>();
  let soonArmed: NodeJS.Immediate | undefined;
  let laterArmed: NodeJS.Timeout | undefined;
  const now = () => state.clock.monotonicMs();

  const frame = (type: string, data: unknown, id = state.newId()) =>
    encodeFrame({ type, id, time: state.clock.now(), data });
  const send = (session: Session, bytes: Buffer) => {
    sendFrame(session, bytes, limits, () => pump(session));
  };
  const offers = createCommandOffers({ state, limits, notices, send });

  const pump = (session: Session) => {
    if (session.phase !== 'open') return;
    tellUntold(session);
    offers.offer(session, now()).catch((err: unknown) => {
      // Offered again: nobody has answered them.
      session.moreCommands = true;
      log.error({ err, agent_id: session.agentId }, 'commands could not be offered');
    });
    if (paused.has(session)) resume(session);
  };

  const tellUntold = (session: Session) => {
    const { untold } = session;
    if (untold === null) return;
    while (untold.taken.length + untold.refused.length > 0 && hasRoom(session, limits)) {
      const ids = untold.taken.splice(0, IDS_A_FRAME);
      const refused = untold.refused.splice(0, REFUSALS_A_FRAME);
      send(session, frame('edgeflows.ack', { ids, ...(refused.length === 0 ? {} : { refused }) }));
    }
    while (hasRoom(session, limits)) {
      const position = untold.logs.take();
      if (position === null) break;
      send(session, frame('edgeflows.run.log.ack', position));
    }
    if (untold.nudge !== undefined && hasRoom(session, limits)) {
      send(session, untold.nudge);
      untold.nudge = undefined;
    }
  };

  const resume = (session: Session) => {
    if (isBehind(session) || !hasRoom(session, limits) || !spend(session, 0, now(), limits)) return;
    paused.delete(session);
    session.heardAt = now();
    session.socket.resume();
  };

  const pumpSoon = (session: Session) => {
    soon.add(session);
    soonArmed ??= setImmediate(() => {
      soonArmed = undefined;
      const due = [...soon];
      soon.clear();
      for (const each of due) pump(each);
    });
  };

  const pumpLater = (session: Session) => {
    later.add(session);
    laterArmed ??= setTimeout(() => {
      laterArmed = undefined;
      const due = [...later];
      later.clear();
      for (const each of due) {
        each.untold?.logs.ripen();
        pump(each);
      }
    }, limits.logAckMs);
  };

  return {
    offers,
    frame,
    send,
    pump,
    nudge(session, nudge) {
      if (hasRoom(session, limits)) send(session, nudge);
      else untoldOf(session, limits).nudge = nudge;
    },
    settle(session, id, received) {
      switch (received.kind) {
        case 'nothing':
          return;
        case 'taken':
          untoldOf(session, limits).taken.push(id);
          return pumpSoon(session);
        case 'refused': {
          const { code, message } = received;
          untoldOf(session, limits).refused.push({ id, code, message });
          return pumpSoon(session);
        }
        case 'answer':
          return send(session, frame(received.type, received.data, id));
        case 'answered':
          return pumpSoon(session);
        case 'log': {
          const { position, bytes, unexpected } = received;
          const isRipe = untoldOf(session, limits).logs.note(position, bytes, unexpected);
          return isRipe ? pumpSoon(session) : pumpLater(session);
        }
      }
    },
    pong(session, data) {
      if (!hasRoom(session, limits)) return;
      session.sent += data.byteLength;
      session.socket.pong(data, false, () => {
        if (paused.has(session)) pump(session);
      });
    },
    throttle(session, cost) {
      if (spend(session, cost, now(), limits) && hasRoom(session, limits) && !isBehind(session)) return;
      paused.add(session);
      session.socket.pause();
    },
    isPaused: (session) => paused.has(session),
    drop(session) {
      session.untold = null;
      for (const set of [paused, soon, later]) set.delete(session);
    },
    close() {
      clearTimeout(laterArmed);
      if (soonArmed !== undefined) clearImmediate(soonArmed);
    },
  };
}
