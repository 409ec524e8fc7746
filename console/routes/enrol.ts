import type { FastifyInstance } from 'fastify';
import { EnrolRequest } from '../../schemas/enrolment.ts';
import { thumbprint } from '../../trust/thumbprint.ts';
import type { Callers } from '../callers.ts';
import { verifyEnrolmentToken } from '../enrolment-token.ts';
import type { ConsoleLimits } from '../limits.ts';
import type { Notices } from '../notices.ts';
import { ENROL } from '../openapi/edge-operations.ts';
import { parseBody } from '../request-body.ts';
import type { ConsoleState } from '../state.ts';

/** `POST /edge/enroll` (contract, section 7): a token and a device key become an agent. */
export function enrolRoute(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly limits: ConsoleLimits;
  readonly notices: Notices;
}) {
  const { state, callers, limits, notices } = parts;
  return async (app: FastifyInstance) => {
    app.post(
      '/edge/enroll',
      {
        ...ENROL.route,
        bodyLimit: limits.enrolBytes,
        onRequest: async (request) => callers.stranger(request),
      },
      async (request, reply) => {
        const body = parseBody(EnrolRequest, request.body);
        const now = state.clock.now();
        const token = await verifyEnrolmentToken(body.token, state.secrets.enrolmentKey, now);
        await callers.possession(request, body.device_jwk);
        const answer = await state.enrolment.enrol(token, body, thumbprint(body.device_jwk), now);
        notices.enrol.publish({ tenant: answer.tenant, agent_id: answer.agent_id, answer });
        return reply.code(201).send(answer);
      },
    );
  };
}
