import { z } from 'zod';
import { Id } from '../names.ts';
import { Grant, Login, Password, PersonLocale, PersonName } from './people.ts';

/** Who a session or a key speaks for, as the pages need it. */
export const SignedIn = z.strictObject({
  signed_in: z.literal(true),
  person: z.strictObject({
    id: Id,
    login: z.string(),
    name: z.string(),
    /** Null: what the browser asks for. */
    locale: PersonLocale.nullable(),
  }),
  grants: z.array(Grant),
  /** Goes into `X-CSRF-Token` of every call that changes something. */
  csrf: z.string(),
});
export type SignedIn = z.infer<typeof SignedIn>;

export const SignedOut = z.strictObject({
  signed_in: z.literal(false),
  /** Nobody can sign in yet: the first person is made at `/setup` with the code that the console printed. */
  setup_needed: z.boolean(),
});
export type SignedOut = z.infer<typeof SignedOut>;

/** `GET /api/session`, always 200. `POST /api/session` and what makes somebody sign in answer the first form. */
export const SessionAnswer = z.discriminatedUnion('signed_in', [SignedIn, SignedOut]);
export type SessionAnswer = z.infer<typeof SessionAnswer>;

/** What somebody types, right or wrong: bounded, and not judged. */
const Typed = z.string().max(1_000);

/** `POST /api/session`. */
export const SignIn = z.strictObject({ login: Typed, password: Typed });
export type SignIn = z.infer<typeof SignIn>;

/** `POST /api/setup`: the first person, an admin of everything. */
export const Setup = z.strictObject({
  code: Typed,
  login: Login,
  name: PersonName.optional(),
  locale: PersonLocale.nullable().default(null),
  password: Password,
});
export type Setup = z.infer<typeof Setup>;

/** `POST /api/invitations/accept`. */
export const AcceptInvitation = z.strictObject({
  code: Typed,
  password: Password,
  name: PersonName.optional(),
  locale: PersonLocale.nullable().optional(),
});
export type AcceptInvitation = z.infer<typeof AcceptInvitation>;

/** `PUT /api/session/password`. All other sessions of the person end. */
export const PasswordChange = z.strictObject({ current: Typed, password: Password });
export type PasswordChange = z.infer<typeof PasswordChange>;
