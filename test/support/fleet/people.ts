import type { z } from 'zod';
import type { InvitedPerson, PersonDraft } from '../../../schemas/console/people.ts';
import type { SessionAnswer } from '../../../schemas/console/session.ts';
import { ask } from './operator.ts';

/** Of everybody here. */
export const PASSWORD = 'made-up fleet, made-up password';

/** `comes`: takes the invitation up. */
export type CastPerson = z.input<typeof PersonDraft> & { readonly comes: boolean };

/** Who can sign in at the console of a made-up fleet, with roles of every size. */
export const PEOPLE: readonly CastPerson[] = [
  { login: 'admin', name: 'Ada Admin', grants: [{ tenant: '*', role: 'admin' }], comes: true },
  { login: 'operator', name: 'Oscar Operator', grants: [{ tenant: 'acme', role: 'operator' }], comes: true },
  { login: 'viewer', name: 'Vera Viewer', grants: [{ tenant: 'acme', role: 'viewer' }], comes: true },
  {
    login: 'jonas.petersen@nordwind.example',
    name: 'Jonas Petersen',
    locale: 'fr',
    grants: [
      { tenant: 'nordwind-logistik', role: 'admin' },
      { tenant: 'acme', role: 'viewer' },
    ],
    comes: false,
  },
];

/** Invites a person, who chooses a password at once when they come. */
export async function invite(
  console: { readonly url: string; readonly apiKey: string },
  { comes, ...draft }: CastPerson,
): Promise<void> {
  const { invitation } = await ask<InvitedPerson>(console, 'POST', '/api/people', draft);
  if (!comes) return;
  const code = new URL(invitation.url).hash.slice(1);
  await ask({ url: console.url }, 'POST', '/api/invitations/accept', { code, password: PASSWORD });
}

/** The cookie of a session, as a browser would keep it, without the wait of a sign-in page. */
export async function signInAs(
  url: string,
  login: string,
): Promise<{ readonly name: string; readonly value: string; readonly csrf: string }> {
  const answer = await fetch(new URL('/api/session', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ login, password: PASSWORD }),
  });
  const body = (await answer.json()) as SessionAnswer;
  for (const cookie of answer.headers.getSetCookie()) {
    const [, name, value] = /^((?:__Host-)?edge_console)=([^;]+)/.exec(cookie) ?? [];
    if (name !== undefined && value !== undefined && body.signed_in) return { name, value, csrf: body.csrf };
  }
  throw new Error(`expected ${login} to be signed in, found ${answer.status}: ${JSON.stringify(body)}`);
}
