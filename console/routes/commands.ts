import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { CommandsQuery } from '../../schemas/console/command.ts';
import { COMMAND_MAX_BYTES } from '../../trust/command-envelope.ts';
import type { HandIn } from '../actions/hand-in.ts';
import type { Callers } from '../callers.ts';
import { COMMANDS, HAND_IN } from '../openapi/agent-operations.ts';
import { parseBody } from '../request-body.ts';
import type { ConsoleState } from '../state.ts';
import type { CommandOrigin } from '../store/ports/commands.ts';
import type { TunnelGateway } from '../tunnel/gateway.ts';
import { agentOf, readQuery, TenantQuery } from './operator-query.ts';

const Body = z.strictObject({ jws: z.string().min(1).max(COMMAND_MAX_BYTES) });

/** Signed commands for an agent: `POST` and `GET /api/agents/<id>/commands`, with an `X-Api-Key`. */
export function commandRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly handIn: HandIn;
  readonly gateway: Pick<TunnelGateway, 'presence'>;
}) {
  const { state, callers, handIn, gateway } = parts;

  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));
    for (const type of ['text/plain', 'application/jose']) {
      app.addContentTypeParser(type, { parseAs: 'string' }, (_request, body, done) => done(null, body));
    }

    app.post(
      '/api/agents/:id/commands',
      { ...HAND_IN.route, bodyLimit: COMMAND_MAX_BYTES + 1_024 },
      async (request, reply) => {
        const actor = await callers.actor(request);
        const agent = await agentOf(state, request, readQuery(TenantQuery, request), actor, 'operator');
        const jws =
          typeof request.body === 'string' ? request.body.trim() : parseBody(Body, request.body).jws;
        const origin: CommandOrigin = {
          by: actor.by,
          why: null,
          told({ command_id, action, run_id }) {
            const run = run_id === null ? '' : `, run ${run_id}`;
            const message = `the signed command ${command_id} (${action}${run}) was handed in`;
            const { tenant, agent_id } = agent;
            const who = { by: actor.by, actor_id: actor.id };
            return { action: 'command_handed_in', tenant, agent_id, ...who, message };
          },
        };
        const row = await handIn(agent, jws, origin);
        return reply.code(202).send({
          command_id: row.command_id,
          state: row.state,
          connected: gateway.presence(agent.agent_id).connected,
        });
      },
    );

    // Newest first; `before=<id>` for the page after.
    app.get('/api/agents/:id/commands', COMMANDS.route, async (request) => {
      const { before, limit, ...of } = readQuery(CommandsQuery, request);
      const agent = await agentOf(state, request, of, await callers.actor(request));
      const commands = await state.commands.list(agent.agent_id, { before, limit }, state.clock.now());
      return { commands, next_before: commands.length === limit ? (commands.at(-1)?.id ?? null) : null };
    });
  };
}
