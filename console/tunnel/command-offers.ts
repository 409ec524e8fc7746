import { Ack } from '../../schemas/tunnel-frame.ts';
import type { ConsoleLimits } from '../limits.ts';
import type { Notices } from '../notices.ts';
import type { ConsoleState } from '../state.ts';
import { encodeFrame } from './frame.ts';
import { hasRoom, type Session } from './session.ts';

const PAGE = 16;

/** Commands of the database on their way into sessions. The id of a frame is the command's, however often it is sent. */
export interface CommandOffers {
  /**
   * Sends what waits, as far as there is room and few enough are without an answer. One at a time a session: while it is at work,
   * another call does nothing but let it look once more.
   */
  offer(session: Session, now: number): Promise<void>;
  /** True when commands went unanswered for too long: from now on they are offered again, from the first. */
  isOverdue(session: Session, now: number): boolean;
  /** The agent's acknowledgement. */
  answered(session: Session, data: unknown): Promise<void>;
}

export function createCommandOffers(parts: {
  readonly state: ConsoleState;
  readonly limits: ConsoleLimits;
  readonly notices: Notices;
  readonly send: (session: Session, frame: Buffer) => void;
}): CommandOffers {
  const { state, limits, notices, send } = parts;
  const tell = (session: Session, command_id: string, to: 'sent' | 'acknowledged' | 'refused') => {
    notices.command.publish({ tenant: session.tenant, agent_id: session.agentId, command_id, state: to });
  };

  const offerPage = async (session: Session, now: number): Promise<void> => {
    const time = state.clock.now();
    // A command that is added from here on says so again.
    session.moreCommands = false;
    const page = await state.commands.waiting(session.agentId, session.offered, PAGE, time);
    if (session.phase !== 'open') return;
    if (session.unanswered === 0) session.offeredAt = now;
    const sent: typeof page = [];
    for (const command of page) {
      if (!hasRoom(session, limits)) break;
      const { command_id: id, jws: data } = command;
      send(
        session,
        encodeFrame({ type: 'edgeflows.command', id, time, data, contentType: 'application/jose' }),
      );
      session.offered = command.id;
      session.unanswered += 1;
      sent.push(command);
    }
    if (page.length === PAGE || sent.length < page.length) session.moreCommands = true;
    if (sent.length === 0) return;
    await state.commands.sent(
      sent.map(({ id }) => id),
      time,
    );
    for (const { command_id } of sent) tell(session, command_id, 'sent');
  };

  const mayOffer = (session: Session) =>
    session.phase === 'open' &&
    session.moreCommands &&
    session.unanswered < limits.commandsInFlight &&
    hasRoom(session, limits);

  return {
    async offer(session, now) {
      if (session.offering) return;
      session.offering = true;
      try {
        while (mayOffer(session)) await offerPage(session, now);
      } finally {
        session.offering = false;
      }
    },
    isOverdue(session, now) {
      if (session.offering) return false;
      if (session.unanswered === 0 || now - session.offeredAt < limits.commandResendMs) return false;
      session.offered = 0;
      session.unanswered = 0;
      session.moreCommands = true;
      return true;
    },
    async answered(session, data) {
      const ack = Ack.safeParse(data);
      if (!ack.success) return;
      const at = state.clock.now();
      const { agentId } = session;
      const refused = ack.data.refused ?? [];
      const settled = await state.commands.settle(
        agentId,
        [
          ...ack.data.ids.map((id) => ({ id, state: 'acknowledged' }) as const),
          ...refused.map(
            ({ id, code, message }) =>
              ({ id, state: 'refused', code: code.slice(0, 64), message: message.slice(0, 1_000) }) as const,
          ),
        ],
        at,
      );
      for (const row of settled) {
        session.unanswered = Math.max(0, session.unanswered - 1);
        tell(session, row.command_id, row.state === 'refused' ? 'refused' : 'acknowledged');
      }
    },
  };
}
