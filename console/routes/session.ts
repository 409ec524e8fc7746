import type { FastifyInstance, FastifyReply } from 'fastify';
import {
  AcceptInvitation,
  PasswordChange,
  SessionAnswer,
  Setup,
  SignedIn,
  SignedOut,
  SignIn,
} from '../../schemas/console/session.ts';
import type { Callers } from '../callers.ts';
import { operation } from '../openapi/operation.ts';
import type { Entered, Entry } from '../people/entry.ts';
import { csrfTokenOf, expectNoForeignPage } from '../people/own-pages.ts';
import type { OpenSession } from '../people/sessions.ts';
import type { ConsoleState } from '../state.ts';

const BODY_BYTES = 8 * 1024;
const tags = ['session'] as const;

const READ = operation({
  summary: 'Who has signed in with this browser',
  tags,
  role: 'anybody',
  answers: { 200: SessionAnswer },
});
const SIGN_IN = operation({
  summary: 'Sign in',
  description: 'A wrong login and a wrong password are answered the same: 401 `sign_in_refused`.',
  tags,
  role: 'anybody',
  body: SignIn,
  answers: { 200: SignedIn },
});
const SIGN_OUT = operation({
  summary: 'Sign out',
  tags,
  role: 'anybody',
  answers: { 200: SignedOut },
});
const PASSWORD = operation({
  summary: 'Choose another password',
  description: 'All other sessions of the person end, and this one begins anew.',
  tags,
  role: 'signed_in',
  body: PasswordChange,
  answers: { 200: SignedIn },
});
const SETUP = operation({
  summary: 'Make the first person, an admin of everything',
  description:
    'With the code that the console prints at its first start, and once. Wrong, used or too late: 403 `code_refused`.',
  tags,
  role: 'anybody',
  body: Setup,
  answers: { 201: SignedIn },
});
const ACCEPT = operation({
  summary: 'Choose a password with an invitation',
  tags,
  role: 'anybody',
  body: AcceptInvitation,
  answers: { 200: SignedIn },
});

/** How people come in and leave. Bodies hold passwords and codes, so nothing of them is in an address. */
export function sessionRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly entry: Entry;
}) {
  const { state, callers, entry } = parts;

  const signedOut = async (): Promise<SignedOut> => ({
    signed_in: false,
    setup_needed: await state.peopleStore.awaitsFirst(),
  });
  const enter = (reply: FastifyReply, { session, cookies }: Entered): SignedIn => {
    void reply.header('set-cookie', [...cookies]);
    return signedIn(session);
  };

  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => {
      if (request.method !== 'GET') expectNoForeignPage(request.headers, state.publicUrl());
    });

    app.get('/api/session', READ.route, async (request): Promise<SessionAnswer> => {
      const session = await state.sessions.of(request);
      return session === null ? signedOut() : signedIn(session);
    });

    app.post('/api/session', { ...SIGN_IN.route, bodyLimit: BODY_BYTES }, async (request, reply) =>
      enter(reply, await entry.signIn(request, SIGN_IN.read(request).body)),
    );

    app.delete('/api/session', SIGN_OUT.route, async (request, reply): Promise<SignedOut> => {
      if ((await state.sessions.of(request)) !== null) {
        const session = await callers.session(request);
        await entry.signOut(session);
        parts.callers.ended(session.record.person.person_id);
      }
      void reply.header('set-cookie', state.sessions.noCookie());
      return signedOut();
    });

    app.put('/api/session/password', { ...PASSWORD.route, bodyLimit: BODY_BYTES }, async (request, reply) => {
      const session = await callers.session(request);
      const { body } = PASSWORD.read(request);
      const entered = await entry.changePassword(request, session, body);
      callers.ended(session.record.person.person_id);
      return enter(reply, entered);
    });

    app.post('/api/setup', { ...SETUP.route, bodyLimit: BODY_BYTES }, async (request, reply) => {
      callers.stranger(request);
      const entered = await entry.setup(request, SETUP.read(request).body);
      return reply.code(201).send(enter(reply, entered));
    });

    app.post(
      '/api/invitations/accept',
      { ...ACCEPT.route, bodyLimit: BODY_BYTES },
      async (request, reply) => {
        callers.stranger(request);
        return enter(reply, await entry.accept(request, ACCEPT.read(request).body));
      },
    );
  };
}

function signedIn({ token, record }: OpenSession): SignedIn {
  const { person_id: id, login, name, locale, grants } = record.person;
  return {
    signed_in: true,
    person: { id, login, name, locale },
    grants: [...grants],
    csrf: csrfTokenOf(token),
  };
}
