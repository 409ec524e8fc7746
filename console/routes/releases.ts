import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { TenantQuery } from '../../schemas/console/page.ts';
import {
  FlowRow,
  FlowsAnswer,
  FlowsQuery,
  ReleaseDetail,
  ReleasesAnswer,
  ReleasesQuery,
} from '../../schemas/console/release.ts';
import { FlowId, Slug } from '../../schemas/names.ts';
import type { Callers } from '../callers.ts';
import type { PushedReleases } from '../fleet/pushed-releases.ts';
import { progressOf, rollout } from '../fleet/rollout.ts';
import { operation } from '../openapi/operation.ts';
import { allow, scopeOf } from '../people/actor.ts';
import { notFound } from '../refusal.ts';
import type { ConsoleState } from '../state.ts';

const DAY_MS = 24 * 60 * 60_000;
const PROBLEMS_MAX = 20;
/** A release may have ten thousand flows; the page of one shows so many. */
const FLOWS_MAX = 1_000;

const FLOWS = operation({
  summary: 'Flows over all agents, with the versions that are active',
  tags: ['releases'],
  role: 'viewer',
  query: FlowsQuery,
  answers: { 200: FlowsAnswer },
});

const FLOW = operation({
  summary: 'One flow of a tenant',
  tags: ['releases'],
  role: 'viewer',
  params: z.object({ tenant: Slug, flow: FlowId }),
  query: TenantQuery,
  answers: { 200: FlowRow },
});

const RELEASES = operation({
  summary: 'Revisions of the tenants’ branches and how far they have got, newest first',
  tags: ['releases'],
  role: 'viewer',
  query: ReleasesQuery,
  answers: { 200: ReleasesAnswer },
});

const RELEASE = operation({
  summary: 'One revision: what it holds, how far it has got, and what stands in its way',
  description: 'The revision as it is listed, or at least seven digits of its commit.',
  tags: ['releases'],
  role: 'viewer',
  params: z.object({ tenant: Slug, revision: z.string().max(160) }),
  query: TenantQuery,
  answers: { 200: ReleaseDetail },
});

/** What is to run, and where it does. */
export function releaseRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly pushed: PushedReleases;
  readonly closing: AbortSignal;
}) {
  const { state, callers, pushed, closing } = parts;
  const { agents, releases, changes } = state.fleet;
  const lastDay = () => new Date(state.clock.now().getTime() - DAY_MS);

  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));

    app.get('/api/flows', FLOWS.route, async (request) => {
      const { tenant, ...query } = FLOWS.read(request).query;
      return agents.flows(scopeOf(await callers.actor(request), tenant), query, lastDay());
    });

    app.get('/api/flows/:tenant/:flow', FLOW.route, async (request) => {
      const { params, query } = FLOW.read(request);
      const absent = () => notFound('expected a flow that an agent of the tenant has, found none');
      allow(await callers.actor(request), params.tenant, 'viewer', absent);
      const isAsked = query.tenant === undefined || query.tenant === params.tenant;
      const row = isAsked ? await agents.flow(params.tenant, params.flow, lastDay()) : null;
      if (row === null) throw absent();
      return row;
    });

    app.get('/api/releases', RELEASES.route, async (request) => {
      const { tenant, ...query } = RELEASES.read(request).query;
      const scope = scopeOf(await callers.actor(request), tenant);
      const found = await releases.list(scope, query);
      const uses = await agents.standings(scope, state.clock.now());
      return { releases: found.releases.map((release) => rollout(release, uses)), total: found.total };
    });

    app.get('/api/releases/:tenant/:revision', RELEASE.route, async (request) => {
      const { params, query } = RELEASE.read(request);
      const { tenant, revision } = params;
      const absent = () => notFound('expected a revision of the tenant that has been seen, found none');
      allow(await callers.actor(request), tenant, 'viewer', absent);
      const isAsked = query.tenant === undefined || query.tenant === tenant;
      const release = isAsked ? await releases.get(tenant, revision) : null;
      if (release === null) throw absent();
      const now = state.clock.now();
      const uses = await agents.standings([tenant], now);
      const flows = await pushed.flowsOf(release, closing);
      return {
        ...rollout(release, uses),
        flows: flows.slice(0, FLOWS_MAX),
        progress: progressOf(await changes.appliedAt(tenant, release.revision)),
        problems: await agents.problemsOf(tenant, release.revision, now, PROBLEMS_MAX),
      };
    });
  };
}
