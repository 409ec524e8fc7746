import type { FastifyInstance } from 'fastify';
import { EventsAnswer, EventsQuery } from '../../schemas/console/event.ts';
import type { Callers } from '../callers.ts';
import { operation } from '../openapi/operation.ts';
import { scopeOf } from '../people/actor.ts';
import type { ConsoleState } from '../state.ts';

const EVENTS = operation({
  summary: 'What agents tell of themselves, in order of arrival',
  description:
    'With `after` what came in since; with `before` the page before it; with neither the newest. A filtered page may be short, or ' +
    'empty, and still name where to go on.',
  tags: ['events'],
  role: 'viewer',
  query: EventsQuery,
  answers: { 200: EventsAnswer },
});

/** `GET /api/events`. */
export function eventRoutes(parts: {
  readonly state: Pick<ConsoleState, 'eventSearch'>;
  readonly callers: Callers;
}) {
  const { state, callers } = parts;
  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));

    app.get('/api/events', EVENTS.route, async (request) => {
      const { tenant, ...filter } = EVENTS.read(request).query;
      return state.eventSearch.find({ ...filter, tenants: scopeOf(await callers.actor(request), tenant) });
    });
  };
}
