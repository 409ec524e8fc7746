import type { FastifyInstance } from 'fastify';
import type { ConsoleClock } from '../state.ts';
import { StoreUnwritable } from '../store/unwritable.ts';

/** To those who ask for no page. */
const TEXT = `Edge-Agent console

Agents are enrolled, fed and heard here. Pages for people: open this address in a browser. All addresses, with what
they take and answer, to be tried: /api/docs in a browser, or GET /api/openapi.json.

For agents     POST /edge/enroll, /edge/notify, /edge/status, /edge/events
               POST /edge/rotate-key, /edge/unenroll
               GET  /api/branch-exists?name=tenant/<slug>
               GET  /raw/tenant/<slug>/manifest.json
               git  /git/<slug>.git
               GET  /artifacts/<slug>/<file>
               GET  /edge/tunnel (WebSocket)
               POST /edge/uploads, HEAD and PATCH /edge/uploads/<upload_id>
For operators  GET  /api/overview, /api/flows, /api/releases, /api/live, /flows
               GET  /api/tenants, /api/agents, /api/agents/<id>, /api/events, /api/runs, /api/runs/<run_id>
               GET  /api/agents/<id>/commands, /api/agents/<id>/runs, /api/agents/<id>/runs/<run_id>/log
               GET  /api/agents/<id>/uploads, /api/uploads/<upload_id>
               GET  /api/tokens, /api/audit
               POST /api/actions, /flows/<id>/run, /api/agents/<id>/commands, /api/agents/<id>/revoke,
               /api/agents/<id>/rotate-key, /api/tokens; PUT, DELETE /api/tenants/<slug>/trigger-key
               DELETE /api/uploads/<upload_id>, /api/tokens/<token_id>
               with the header X-Api-Key (a new one: edge-console key new), or a session
For people     GET, POST, DELETE /api/session; PUT /api/session/password; POST /api/setup, /api/invitations/accept
For admins     GET, POST /api/people, /api/keys; PATCH, DELETE /api/people/<id>; DELETE /api/keys/<id>
For forges     POST /hooks/<slug>
For monitors   GET  /healthz
`;

/** What a program or a monitor sees first; a browser gets the page (pages.ts). */
export function frontRoutes({
  state,
}: {
  readonly state: { readonly store: { healthy(): Promise<void> }; readonly clock: ConsoleClock };
}) {
  return async (app: FastifyInstance) => {
    app.get('/', async (_request, reply) =>
      reply.header('vary', 'accept').type('text/plain; charset=utf-8').send(TEXT),
    );
    app.get('/healthz', async (_request, reply) => {
      const time = state.clock.now().toISOString();
      try {
        await state.store.healthy();
        return { status: 'ok', time };
      } catch (error) {
        if (!(error instanceof StoreUnwritable)) throw error;
        return reply.code(503).send({ status: 'read_only', time, why: error.message });
      }
    });
  };
}
