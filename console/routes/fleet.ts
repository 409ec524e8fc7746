import type { FastifyInstance } from 'fastify';
import {
  AgentDetail,
  AgentsAnswer,
  AgentsQuery,
  HistoryAnswer,
  HistoryQuery,
} from '../../schemas/console/agent.ts';
import { Overview } from '../../schemas/console/overview.ts';
import { TenantQuery } from '../../schemas/console/page.ts';
import type { Callers } from '../callers.ts';
import { overview } from '../fleet/overview.ts';
import { operation } from '../openapi/operation.ts';
import { isInScope, scopeOf } from '../people/actor.ts';
import type { ConsoleState } from '../state.ts';
import type { ListedAgent } from '../store/ports/fleet.ts';
import type { TunnelGateway } from '../tunnel/gateway.ts';
import { agentOf } from './operator-query.ts';

const OVERVIEW = operation({
  summary: 'The fleet at a glance',
  description:
    'One sentence, counts by state, what is worst, what changed within the last hour, and what is on its way.',
  tags: ['fleet'],
  role: 'viewer',
  query: TenantQuery,
  answers: { 200: Overview },
});

const AGENTS = operation({
  summary: 'Agents, searched, filtered and put in order',
  tags: ['agents'],
  role: 'viewer',
  query: AgentsQuery,
  answers: { 200: AgentsAnswer },
});

const AGENT = operation({
  summary: 'All that is known of one agent',
  tags: ['agents'],
  role: 'viewer',
  query: TenantQuery,
  answers: { 200: AgentDetail },
});

const HISTORY = operation({
  summary: 'What changed in what an agent says, newest first',
  tags: ['agents'],
  role: 'viewer',
  query: HistoryQuery,
  answers: { 200: HistoryAnswer },
});

/** Agents, and all of them at once. */
export function fleetRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly gateway: TunnelGateway;
}) {
  const { state, callers, gateway } = parts;
  // The database knows who is connected to a commit or two; who asks is told what is so.
  const shown = (agent: ListedAgent) => ({ ...agent, tunnel: gateway.presence(agent.agent_id) });

  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));

    app.get('/api/overview', OVERVIEW.route, async (request) => {
      const scope = scopeOf(await callers.actor(request), OVERVIEW.read(request).query.tenant);
      const tenants = (await state.tenants.list()).map(({ slug }) => slug);
      const own = tenants.filter((slug) => isInScope(scope, slug));
      const answer = await overview(state.fleet, scope, own, state.clock.now());
      return { ...answer, worst: answer.worst.map((agent) => shown(agent as ListedAgent)) };
    });

    app.get('/api/agents', AGENTS.route, async (request) => {
      const { sort, order, limit, offset, ...filter } = AGENTS.read(request).query;
      const scope = scopeOf(await callers.actor(request), filter.tenant);
      const selection = { scope, filter, now: state.clock.now() };
      const { agents, total, states } = await state.fleet.agents.list(selection, {
        sort,
        order,
        limit,
        offset,
      });
      return { agents: agents.map(shown), total, states };
    });

    app.get('/api/agents/:id', AGENT.route, async (request) => {
      const { query } = AGENT.read(request);
      const { device_jwk: _jwk, ...agent } = await agentOf(
        state,
        request,
        query,
        await callers.actor(request),
      );
      const { agent_id: id, tenant } = agent;
      const row = await state.fleet.agents.agent(id, state.clock.now());
      const latest = await state.reports.status(id);
      return {
        ...agent,
        ...(row === null ? {} : shown(row)),
        identity_conflict: await state.identities.conflict(id),
        can_command: (await state.triggerKeys.signer(tenant)).kind === 'key',
        status: latest?.status ?? null,
        status_received_at: latest?.received_at ?? null,
        event_logs: await state.events.logs(id),
        processes: await state.identities.processes(id),
        former_keys: (await state.deviceKeys.former(id)).map(({ jwk: _former, ...key }) => key),
      };
    });

    app.get('/api/agents/:id/history', HISTORY.route, async (request) => {
      const { before, limit, ...query } = HISTORY.read(request).query;
      const agent = await agentOf(state, request, query, await callers.actor(request));
      const changes = await state.fleet.changes.list(agent.agent_id, { before, limit });
      return { changes, next_before: changes.length === limit ? (changes.at(-1)?.id ?? null) : null };
    });
  };
}
