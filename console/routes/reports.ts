import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { EVENT_LINE_MAX_BYTES, type Event } from '../../schemas/event.ts';
import { RunReport } from '../../schemas/run.ts';
import type { BodyBudget } from '../body-budget.ts';
import type { Callers } from '../callers.ts';
import { commandOutcome, ReceivedBatch } from '../event-history.ts';
import type { IdentityAlarms } from '../identity-alarms.ts';
import type { ConsoleLimits } from '../limits.ts';
import type { Notices } from '../notices.ts';
import { EVENTS, NOTIFY, STATUS } from '../openapi/edge-operations.ts';
import { RequestRefused } from '../refusal.ts';
import { parseBody } from '../request-body.ts';
import type { ConsoleState } from '../state.ts';
import { expectOwn, takeStatus } from '../status-intake.ts';
import type { Agent } from '../store/ports/agents.ts';
import { placesFor } from '../upload-places.ts';

/** `POST /edge/notify`, `/edge/status`, `/edge/events` (contract, section 7). Unknown fields are kept: stored is what was sent. */
export function reportRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly limits: ConsoleLimits;
  readonly notices: Notices;
  readonly budget: BodyBudget;
  readonly alarms: IdentityAlarms;
}) {
  const { state, callers, limits, notices, budget, alarms } = parts;
  const senders = new WeakMap<FastifyRequest, Agent>();
  /** Who calls is known before the first byte of the body is read. */
  const received = (bodyLimit: number) => ({
    bodyLimit,
    onRequest: async (request: FastifyRequest, reply: FastifyReply) => {
      senders.set(request, await callers.device(request));
      budget(request, reply, bodyLimit);
    },
  });
  const senderOf = (request: FastifyRequest) => senders.get(request) as Agent;

  return async (app: FastifyInstance) => {
    app.post('/edge/notify', { ...NOTIFY.route, ...received(limits.notifyBytes) }, async (request, reply) => {
      const agent = senderOf(request);
      const report = parseBody(RunReport, request.body);
      const key = `${report.run_id}.${report.attempt}`;
      const found = request.headers['idempotency-key'];
      if (found !== key) {
        const message = `expected Idempotency-Key: ${key} (<run_id>.<attempt>), found ${String(found).slice(0, 80)}`;
        throw new RequestRefused(400, 'idempotency_key_wrong', message);
      }
      const now = state.clock.now();
      const outcome = await state.reports.addRun(agent.agent_id, key, report, request.body, now);
      if (outcome === 'conflict') {
        const message = `expected the same report under ${key} as the first time, found another; a new attempt needs its own number`;
        throw new RequestRefused(422, 'idempotency_key_reused', message);
      }
      const places = await placesFor(state, limits, agent, report);
      if (outcome === 'replayed') return { stored: false, ...places };
      notices.notify.publish({ tenant: agent.tenant, agent_id: agent.agent_id, report });
      return reply.code(201).send({ stored: true, ...places });
    });

    app.post('/edge/status', { ...STATUS.route, ...received(limits.statusBytes) }, async (request) => {
      const agent = senderOf(request);
      await takeStatus({ state, notices }, agent, request.body);
      const identity_conflict = await state.identities.told(
        agent.agent_id,
        bootIn(request.headers.authorization),
      );
      return {
        stored: true,
        ...(agent.rotation_asked_at === null ? {} : { rotate_key: true }),
        ...(identity_conflict === null ? {} : { identity_conflict }),
      };
    });

    app.post('/edge/events', { ...EVENTS.route, ...received(limits.eventsBytes) }, async (request) => {
      const agent = senderOf(request);
      const batch = parseBody(ReceivedBatch, request.body);
      for (const event of batch.events) {
        expectOwn(agent, event);
        if (event.log_id === batch.log_id) continue;
        const message = `expected events of log ${batch.log_id}, found one of ${event.log_id}`;
        throw new RequestRefused(422, 'log_mixed', message);
      }
      // Serialised again without a change of order: the bytes of the line in the agent's own log.
      const sent = (request.body as { events: Event[] }).events;
      const lines = sent.map((event) => JSON.stringify(event));
      expectLinesOfAnAgent(lines);
      const result = await state.events.append(agent.agent_id, batch, lines, state.clock.now());
      if (result.kind === 'broken') {
        if (result.code !== 'events_out_of_order')
          await alarms.forkedLog(agent, batch.log_id, result.message);
        throw new RequestRefused(409, result.code, result.message);
      }
      if (result.kind === 'taken' && result.added > 0) {
        const events = sent.slice(-result.added);
        const whose = { tenant: agent.tenant, agent_id: agent.agent_id };
        notices.events.publish({ ...whose, events });
        for (const event of batch.events.slice(-result.added)) {
          const done = commandOutcome(event);
          if (done !== null) {
            notices.command.publish({ ...whose, command_id: done.command_id, state: 'acknowledged' });
          }
        }
      }
      return { next_seq: result.nextSeq };
    });
  };
}

/** An agent writes and reads no longer one; a page of 500 is read at once. */
function expectLinesOfAnAgent(lines: readonly string[]): void {
  const longest = Math.max(0, ...lines.map((line) => Buffer.byteLength(line)));
  if (longest <= EVENT_LINE_MAX_BYTES) return;
  const message = `expected events of at most ${EVENT_LINE_MAX_BYTES} bytes each, found one of ${longest}`;
  throw new RequestRefused(413, 'too_large', message);
}

/** Which process of the agent speaks, as its token says; the token was verified before. */
function bootIn(authorization: string | undefined): string | null {
  const payload = Buffer.from(authorization?.split('.')[1] ?? '', 'base64url').toString('utf8');
  const { boot } = JSON.parse(payload) as { boot?: unknown };
  return typeof boot === 'string' ? boot : null;
}
