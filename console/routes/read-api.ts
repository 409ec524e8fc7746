import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { Id, Slug } from '../../schemas/names.ts';
import type { Agent } from '../agents.ts';
import type { Callers } from '../callers.ts';
import { notFound, RequestRefused } from '../refusal.ts';
import type { ConsoleState } from '../state.ts';
import type { TunnelGateway } from '../tunnel/gateway.ts';

const Count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const Query = z.object({
  agent: Id.optional(),
  tenant: Slug.optional(),
  after: Count.optional(),
  before: Count.optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});

/** What the operator reads, with an `X-Api-Key`: tenants, agents, their status, events and runs. Lists are pages. */
export function readRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly gateway: TunnelGateway;
}) {
  const { state, callers, gateway } = parts;
  const shown = ({ device_jwk: _key, ...agent }: Agent) => ({
    ...agent,
    tunnel: gateway.presence(agent.agent_id),
  });
  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => callers.operator(request));

    app.get('/api/tenants', async () => ({
      tenants: state.tenants.list().map((tenant) => ({
        slug: tenant.slug,
        branch: `tenant/${tenant.slug}`,
        git_url: `${state.publicUrl()}/git/${tenant.slug}.git`,
        root_sha256: tenant.rootSha256,
        created_at: tenant.createdAt,
      })),
    }));

    app.get('/api/agents', async (request) => {
      const { tenant } = query(request.query);
      return { agents: state.agents.list(tenant).map(shown) };
    });

    app.get('/api/agents/:id', async (request) => {
      const { id } = request.params as { id: string };
      const agent = state.agents.get(id);
      if (agent === null) throw notFound('expected the id of an agent, found no such agent');
      const latest = state.reports.status(id);
      return {
        ...shown(agent),
        status: latest?.status ?? null,
        status_received_at: latest?.received_at ?? null,
        event_logs: state.events.logs(id),
      };
    });

    // `after=<id>`: what came in since, in order of arrival; without it the newest. `next_after` goes into the next call.
    app.get('/api/events', async (request) => {
      const { agent, tenant, after, limit } = query(request.query);
      const events =
        after === undefined
          ? state.events.tail({ agent, tenant, limit })
          : state.events.read({ agent, tenant, after, limit });
      return { events, next_after: events.at(-1)?.id ?? after ?? 0 };
    });

    // Newest first; `before=<id>` for the page after.
    app.get('/api/runs', async (request) => {
      const { agent, tenant, before, limit } = query(request.query);
      const runs = state.reports.runs({ agent, tenant, before, limit });
      return { runs, next_before: runs.length === limit ? (runs.at(-1)?.id ?? null) : null };
    });

    app.get('/api/runs/:run_id', async (request) => {
      const { run_id } = request.params as { run_id: string };
      const report = state.reports.run(run_id, query(request.query).agent);
      if (report === undefined) throw notFound('expected the id of a reported run, found no such run');
      return report;
    });
  };
}

function query(found: unknown): z.infer<typeof Query> {
  const parsed = Query.safeParse(found);
  if (parsed.success) return parsed.data;
  throw new RequestRefused(400, 'query_invalid', z.prettifyError(parsed.error));
}
