import type { FastifyBaseLogger } from 'fastify';
import { z } from 'zod';
import { RunReport } from '../../schemas/run.ts';
import {
  AgentHello,
  RunLog,
  type RunLogAck,
  RunStarted,
  type TunnelFrame,
} from '../../schemas/tunnel-frame.ts';
import type { ConsoleLimits } from '../limits.ts';
import type { Notices } from '../notices.ts';
import { RequestRefused } from '../refusal.ts';
import { parseBody } from '../request-body.ts';
import type { ConsoleState } from '../state.ts';
import { takeStatus } from '../status-intake.ts';
import type { CommandOffers } from './command-offers.ts';
import type { Session } from './session.ts';

/** The notify body without output (contract, section 8). */
const RunCompleted = z.looseObject(RunReport.omit({ stdout: true, stderr: true }).shape);

export type Received =
  | { readonly kind: 'nothing' }
  /** Durable: acknowledged by the id of its frame. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'answer'; readonly type: string; readonly data: unknown }
  /** Commands were answered: there may be room for more of them. */
  | { readonly kind: 'answered' }
  | {
      readonly kind: 'log';
      readonly position: Pick<RunLogAck, 'run_id' | 'attempt' | 'stream' | 'offset'>;
      readonly bytes: number;
      /** Not what came next: the agent has to hear at once where the console stands. */
      readonly unexpected: boolean;
    };

const NOTHING: Received = { kind: 'nothing' };
/** Tokens of the session's bucket: about what each costs the console. What writes to the database costs most. */
const COST: Readonly<Record<string, number>> = {
  'edgeflows.run.started': 2,
  'edgeflows.run.completed': 2,
  'edgeflows.status': 20,
  'edgeflows.ack': 1,
  'edgeflows.run.log': 0.5,
};
const OTHER_COST = 0.5;

/** What a frame of an agent does. Unknown types are passed over, as the agent may be newer than this console. */
export interface Receiver {
  isHello(session: Session, frame: TunnelFrame): boolean;
  /** What is `taken` is on the disk. Never rejects. */
  receive(session: Session, frame: TunnelFrame): Promise<Received>;
  costOf(frame: TunnelFrame): number;
}

export function createReceiver(parts: {
  readonly state: ConsoleState;
  readonly limits: ConsoleLimits;
  readonly notices: Notices;
  readonly log: FastifyBaseLogger;
  readonly offers: CommandOffers;
}): Receiver {
  const { state, limits, notices, log, offers } = parts;

  const started = async ({ tenant, agentId: agent_id }: Session, data: unknown): Promise<Received> => {
    const run = parseBody(RunStarted, data);
    await state.progress.started(agent_id, run, state.clock.now());
    notices.run.publish({ tenant, agent_id, run_id: run.run_id, attempt: run.attempt, state: 'running' });
    return { kind: 'taken' };
  };

  const completed = async ({ tenant, agentId: agent_id }: Session, data: unknown): Promise<Received> => {
    const run = parseBody(RunCompleted, data);
    await state.progress.completed(agent_id, run, state.clock.now());
    notices.run.publish({ tenant, agent_id, run_id: run.run_id, attempt: run.attempt, state: run.status });
    return { kind: 'taken' };
  };

  const status = async (session: Session, data: unknown): Promise<Received> => {
    await takeStatus({ state, notices }, { tenant: session.tenant, agent_id: session.agentId }, data);
    return { kind: 'taken' };
  };

  const output = async ({ tenant, agentId: agent_id }: Session, sent: unknown): Promise<Received> => {
    const { run_id, attempt, stream, offset, data } = parseBody(RunLog, sent);
    const bytes = Buffer.from(data, 'base64');
    const at = state.clock.now();
    const where = { agent_id, run_id, attempt, stream };
    const done = await state.logs.append(where, offset, bytes, at, limits.logStreamBytes);
    const { next } = done;
    if (done.kind === 'taken' && done.added > 0) {
      notices.log.publish({ tenant, agent_id, run_id, attempt, stream, next });
    }
    const unexpected = done.kind === 'gap' || done.added < bytes.byteLength;
    return {
      kind: 'log',
      position: { run_id, attempt, stream, offset: next },
      bytes: bytes.byteLength,
      unexpected,
    };
  };

  const receive = async (session: Session, { type, data }: TunnelFrame): Promise<Received> => {
    switch (type) {
      case 'edgeflows.ack':
        await offers.answered(session, data);
        return { kind: 'answered' };
      case 'edgeflows.echo.request':
        return { kind: 'answer', type: 'edgeflows.echo.reply', data };
      case 'edgeflows.run.started':
        return started(session, data);
      case 'edgeflows.run.completed':
        return completed(session, data);
      case 'edgeflows.status':
        return status(session, data);
      case 'edgeflows.run.log':
        return output(session, data);
      default:
        return NOTHING;
    }
  };

  return {
    isHello({ agentId }, { type, data }) {
      if (type !== 'edgeflows.hello') return false;
      const hello = AgentHello.safeParse(data);
      return hello.success && hello.data.agent_id === agentId;
    },
    async receive(session, frame) {
      try {
        return await receive(session, frame);
      } catch (error) {
        if (error instanceof RequestRefused) {
          log.info({ agent_id: session.agentId, type: frame.type, code: error.code }, error.message);
          return { kind: 'refused', code: error.code, message: error.message.slice(0, 1_000) };
        }
        // Not acknowledged, so it comes again: a full disk passes.
        log.error({ err: error, agent_id: session.agentId, type: frame.type }, 'a frame could not be taken');
        return NOTHING;
      }
    },
    costOf: ({ type }) => COST[type] ?? OTHER_COST,
  };
}
