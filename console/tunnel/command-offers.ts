import { Ack } from '../../schemas/tunnel-frame.ts';
import type { ConsoleLimits } from '../limits.ts';
import type { Notices } from '../notices.ts';
import type { ConsoleState } from '../state.ts';
import { encodeFrame } from './frame.ts';
import { hasRoom, type Session } from './session.ts';

const PAGE = 16;

/** Commands of the database on their way into sessions. The id of a frame is the command's, however often it is sent. */
export interface CommandOffers {
  /** Sends what waits, as far as there is room and few enough are without an answer. */
  offer(session: Session, now: number): void;
  /** True when commands went unanswered for too long: from now on they are offered again, from the first. */
  isOverdue(session: Session, now: number): boolean;
  /** The agent's acknowledgement. */
  answered(session: Session, data: unknown): void;
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

  return {
    offer(session, now) {
      while (
        session.moreCommands &&
        session.unanswered < limits.commandsInFlight &&
        hasRoom(session, limits)
      ) {
        const time = state.clock.now();
        const page = state.commands.waiting(session.agentId, session.offered, PAGE, time);
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
        session.moreCommands = page.length === PAGE || sent.length < page.length;
        if (sent.length === 0) return;
        state.commands.sent(
          sent.map(({ id }) => id),
          time,
        );
        for (const { command_id } of sent) tell(session, command_id, 'sent');
      }
    },
    isOverdue(session, now) {
      if (session.unanswered === 0 || now - session.offeredAt < limits.commandResendMs) return false;
      session.offered = 0;
      session.unanswered = 0;
      session.moreCommands = true;
      return true;
    },
    answered(session, data) {
      const ack = Ack.safeParse(data);
      if (!ack.success) return;
      const at = state.clock.now();
      const { agentId } = session;
      const refused = ack.data.refused ?? [];
      const settled = state.database.transaction(() => [
        ...ack.data.ids.map((id) => state.commands.settle(agentId, id, { state: 'acknowledged' }, at)),
        ...refused.map(({ id, code, message }) =>
          state.commands.settle(
            agentId,
            id,
            { state: 'refused', code: code.slice(0, 64), message: message.slice(0, 1_000) },
            at,
          ),
        ),
      ]);
      for (const row of settled) {
        if (row === null) continue;
        session.unanswered = Math.max(0, session.unanswered - 1);
        tell(session, row.command_id, row.state === 'refused' ? 'refused' : 'acknowledged');
      }
    },
  };
}
