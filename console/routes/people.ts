import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { TenantQuery } from '../../schemas/console/page.ts';
import {
  InvitedPerson,
  PeopleAnswer,
  type Person,
  PersonAnswer,
  PersonChange,
  PersonDraft,
} from '../../schemas/console/people.ts';
import { Id } from '../../schemas/names.ts';
import type { Callers } from '../callers.ts';
import { operation } from '../openapi/operation.ts';
import type { Invited } from '../people/people.ts';
import type { ConsoleState } from '../state.ts';
import type { PersonRecord } from '../store/ports/people.ts';

const tags = ['people'] as const;
const params = z.object({ id: Id });

const LIST = operation({
  summary: 'The people over all of whose tenants you decide',
  tags,
  role: 'admin',
  query: TenantQuery,
  answers: { 200: PeopleAnswer },
});
const INVITE = operation({
  summary: 'Invite a person',
  description:
    'The answer has a link, good for 24 hours, with which the person chooses a password. It is shown only here.',
  tags,
  role: 'admin',
  query: z.strictObject({}),
  body: PersonDraft,
  answers: { 201: InvitedPerson },
});
const CHANGE = operation({
  summary: 'Change what a person may do, or is called',
  description: 'Other grants end the sessions of the person.',
  tags,
  role: 'admin',
  params,
  query: TenantQuery,
  body: PersonChange,
  answers: { 200: PersonAnswer },
});
const INVITE_AGAIN = operation({
  summary: 'Give a person another invitation',
  description: 'The password, the sessions and the invitation before are void at once.',
  tags,
  role: 'admin',
  params,
  query: TenantQuery,
  answers: { 201: InvitedPerson },
});
const REMOVE = operation({
  summary: 'Remove a person',
  description: 'The last one who is admin of everything stays: 409 `last_admin`.',
  tags,
  role: 'admin',
  params,
  query: TenantQuery,
  answers: { 200: PersonAnswer },
});

/** People and what they may do, for admins. */
export function peopleRoutes(parts: { readonly state: ConsoleState; readonly callers: Callers }) {
  const { state, callers } = parts;
  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));

    app.get('/api/people', LIST.route, async (request): Promise<PeopleAnswer> => {
      const { tenant } = LIST.read(request).query;
      const people = await state.people.list(await callers.actor(request), tenant);
      return { people: people.map(shownPerson) };
    });

    app.post('/api/people', INVITE.route, async (request, reply) => {
      const actor = await callers.actor(request);
      const invited = await state.people.invite(actor, INVITE.read(request).body);
      return reply.code(201).send(shownInvitation(invited));
    });

    app.patch('/api/people/:id', CHANGE.route, async (request): Promise<PersonAnswer> => {
      const { params, query, body } = CHANGE.read(request);
      const actor = await callers.actor(request);
      const person = await state.people.change(actor, params.id, body, query.tenant);
      callers.ended(person.person_id);
      return { person: shownPerson(person) };
    });

    app.post('/api/people/:id/invitation', INVITE_AGAIN.route, async (request, reply) => {
      const { params, query } = INVITE_AGAIN.read(request);
      const actor = await callers.actor(request);
      const invited = await state.people.inviteAgain(actor, params.id, query.tenant);
      callers.ended(invited.person.person_id);
      return reply.code(201).send(shownInvitation(invited));
    });

    app.delete('/api/people/:id', REMOVE.route, async (request): Promise<PersonAnswer> => {
      const { params, query } = REMOVE.read(request);
      const actor = await callers.actor(request);
      const person = await state.people.remove(actor, params.id, query.tenant);
      callers.ended(person.person_id);
      return { person: shownPerson(person) };
    });
  };
}

export function shownPerson({ person_id: id, has_password, ...person }: PersonRecord): Person {
  const { login, name, locale, grants, invited_until, created_by, created_at, last_sign_in_at } = person;
  return {
    id,
    login,
    name,
    locale,
    grants: [...grants],
    state: has_password ? 'active' : 'invited',
    invited_until,
    created_by,
    created_at,
    last_sign_in_at,
  };
}

function shownInvitation({ person, url, expiresAt }: Invited): InvitedPerson {
  return { person: shownPerson(person), invitation: { url, expires_at: expiresAt } };
}
