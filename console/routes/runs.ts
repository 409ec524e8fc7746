import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { TenantQuery } from '../../schemas/console/page.ts';
import { RunDetail, RunsAnswer, RunsQuery } from '../../schemas/console/run.ts';
import { Id } from '../../schemas/names.ts';
import { RunReport } from '../../schemas/run.ts';
import { attachment } from '../attachment.ts';
import type { Callers } from '../callers.ts';
import { operation } from '../openapi/operation.ts';
import { holdsRole, scopeOf } from '../people/actor.ts';
import { notFound, RequestRefused } from '../refusal.ts';
import { runDetail } from '../runs/run-detail.ts';
import { givenInputs } from '../runs/run-inputs.ts';
import type { ConsoleState } from '../state.ts';
import { agentOf } from './operator-query.ts';

const LIST = operation({
  summary: 'Runs of all agents: asked for, queued, going on, ended',
  description:
    'Newest first, by when the console first heard of them; `before=<id>` for the page after. A page may have fewer runs than asked for while `next_before` says where to look on.',
  tags: ['runs'],
  role: 'viewer',
  query: RunsQuery,
  answers: { 200: RunsAnswer },
});
const REPORT = operation({
  summary: 'The newest report of a run, as its agent sent it',
  description:
    'When several agents have reported the id: 409 `run_ambiguous`, until `agent` or `tenant` says which.',
  tags: ['runs'],
  role: 'viewer',
  params: z.object({ run_id: z.string() }),
  query: TenantQuery.extend({ agent: Id.optional() }),
  answers: { 200: RunReport.loose() },
});
const DETAIL = operation({
  summary: 'One run: from what asked for it to its result',
  tags: ['runs'],
  role: 'viewer',
  params: z.object({ id: z.string(), run_id: z.string() }),
  query: TenantQuery,
  answers: { 200: RunDetail },
});

const INPUTS = operation({
  summary: 'What a run was given, as it was asked for through this console',
  description:
    '404 `inputs_unknown` where there are none, where the command that had them is no longer kept, and for runs that were not asked for here: a schedule, the machine itself, a command that came another way.',
  tags: ['runs'],
  role: 'operator',
  params: z.object({ id: z.string(), run_id: z.string() }),
  query: TenantQuery,
  answers: { 200: z.unknown() },
});

/** The list of runs, and one of them. */
export function runRoutes(parts: { readonly state: ConsoleState; readonly callers: Callers }) {
  const { state, callers } = parts;
  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));

    app.get('/api/runs', LIST.route, async (request) => {
      const { tenant, state: states, ...filter } = LIST.read(request).query;
      const tenants = scopeOf(await callers.actor(request), tenant);
      const { runs, next_before } = await state.runs.list({ ...filter, states, tenants });
      return { runs: runs.map(({ sha256: _sha256, revision: _revision, ...run }) => run), next_before };
    });

    app.get('/api/runs/:run_id', REPORT.route, async (request) => {
      const { params, query } = REPORT.read(request);
      const tenants = scopeOf(await callers.actor(request), query.tenant);
      const found = await state.reports.run(params.run_id, { agent: query.agent, tenants });
      switch (found.kind) {
        case 'none':
          throw notFound('expected the id of a reported run, found no such run');
        case 'ambiguous': {
          // Whoever reports an id last must not take the place of another's run.
          const message = `expected a run that one agent has reported, found ${found.agents}; say which with ?agent=<id> or ?tenant=<slug>`;
          throw new RequestRefused(409, 'run_ambiguous', message);
        }
        case 'report':
          return found.body;
      }
    });

    app.get('/api/agents/:id/runs/:run_id', DETAIL.route, async (request) => {
      const { params, query } = DETAIL.read(request);
      const agent = await agentOf(state, request, query, await callers.actor(request));
      const mayReadInputs = holdsRole(await callers.actor(request), agent.tenant, 'operator');
      const found = await runDetail(state, agent.agent_id, params.run_id, { mayReadInputs });
      if (found === null) throw notFound('expected the id of a run of this agent, found no such run');
      return found;
    });

    app.get('/api/agents/:id/runs/:run_id/inputs', INPUTS.route, async (request, reply) => {
      const { params, query } = INPUTS.read(request);
      const agent = await agentOf(state, request, query, await callers.actor(request), 'operator');
      const run = await state.runs.get(agent.agent_id, params.run_id);
      const given = run === null ? null : await givenInputs(state, run);
      if (given === null) {
        const message = 'expected a run of this agent that was given inputs through this console, found none';
        throw notFound(message, 'inputs_unknown');
      }
      return reply
        .headers({
          'content-disposition': attachment(`inputs-${params.run_id}.json`),
          'cache-control': 'no-store',
          'content-type': 'application/json; charset=utf-8',
        })
        .send(JSON.stringify(given.value));
    });
  };
}
