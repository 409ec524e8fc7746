import type { FastifyInstance } from 'fastify';
import type { OperationDeclaration, OperationRole } from '../openapi/operation.ts';
import type { ConsoleClock } from '../state.ts';
import { StoreUnwritable } from '../store/unwritable.ts';

/** Who may call, in the order in which they are told. */
const CALLERS: readonly (readonly [heading: string, ...roles: OperationRole[]])[] = [
  ['For anybody', 'anybody'],
  ['For agents, with a device key', 'agent', 'reader'],
  [
    'For operators, with the header X-Api-Key (a new key: edge-console key new) or a session: viewers',
    'viewer',
  ],
  ['Operators', 'operator'],
  ['Admins', 'admin'],
  ['For people, with a session', 'signed_in'],
];
const PATH_COLUMNS = 46;

/** To those who ask for no page: every address, and what declares nothing of itself. */
function textOf(operations: ReadonlyMap<string, OperationDeclaration>): string {
  const sections = CALLERS.map(([heading, ...roles]) => {
    const lines = [...operations]
      .filter(([, { role }]) => roles.includes(role))
      .map(([route, { summary }]) => {
        const [method = '', path = ''] = route.split(' ');
        const named = path.replaceAll(/:(\w+)/g, '<$1>').padEnd(PATH_COLUMNS);
        return `  ${method.padEnd(7)} ${named} ${summary}\n`;
      });
    return `${heading}\n${lines.join('')}`;
  });
  return `${HEAD}\n${sections.join('\n')}\n${TAIL}`;
}

const HEAD = `Edge-Agent console

Agents are enrolled, fed and heard here. Pages for people: open this address in a browser. What each address takes
and answers, to be tried: /api/docs in a browser, or GET /api/openapi.json.
`;
const TAIL = `Over git and HTTP, with the tenant's tokens
  git     /git/<slug>.git                                The tenant's branch: push, and an agent's fetch
  GET     /raw/tenant/<slug>/<file>                      A file of the branch
  GET     /artifacts/<slug>/<file>                       A bundle; PUT for the publisher
  POST    /hooks/<slug>                                  For forges: the branch has moved

For monitors
  GET     /healthz                                       503 when nothing can be written
`;

/** What a program or a monitor sees first; a browser gets the page (pages.ts). */
export function frontRoutes({
  state,
  operations,
}: {
  /** Complete once the server listens. */
  readonly operations: ReadonlyMap<string, OperationDeclaration>;
  readonly state: { readonly store: { healthy(): Promise<void> }; readonly clock: ConsoleClock };
}) {
  return async (app: FastifyInstance) => {
    app.get('/', async (_request, reply) =>
      reply.header('vary', 'accept').type('text/plain; charset=utf-8').send(textOf(operations)),
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
