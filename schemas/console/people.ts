import { z } from 'zod';
import { Id, Slug, Timestamp } from '../names.ts';

/** `viewer` reads, `operator` also acts on machines, `admin` also decides who may do either. Each holds what is before it. */
export const Role = z.enum(['viewer', 'operator', 'admin']);
export type Role = z.infer<typeof Role>;

/** A tenant by its slug, or `*`: every one there is and will be. */
export const GrantTenant = z.union([z.literal('*'), Slug]);

export const Grant = z.strictObject({ tenant: GrantTenant, role: Role });
export type Grant = z.infer<typeof Grant>;

/** What somebody may do: at most one role a tenant. */
export const Grants = z
  .array(Grant)
  .min(1)
  .max(100)
  .refine(
    (grants) => new Set(grants.map(({ tenant }) => tenant)).size === grants.length,
    'expected one role a tenant, found a tenant twice',
  );

/** What one signs in with: a name or an e-mail address; upper and lower case are the same. */
export const Login = z
  .string()
  .trim()
  .toLowerCase()
  .regex(
    /^[a-z0-9][a-z0-9._%+@-]{0,127}$/,
    'expected a name or an e-mail address of at most 128 of a-z, 0-9, . _ % + @ -',
  );

/** As people write it: no control characters, nor those that turn the direction of text. */
export const PersonName = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, 'expected a name of visible characters');

export const PersonLocale = z.enum(['en', 'fr']);

export const PASSWORD_MIN_CHARACTERS = 12;

/** A bound on what is hashed; no rule on what it is made of (NIST SP 800-63B, 3.1.1.2). */
export const Password = z.string().min(PASSWORD_MIN_CHARACTERS).max(256);

export const Person = z.strictObject({
  id: Id,
  login: z.string(),
  name: z.string(),
  locale: PersonLocale.nullable(),
  grants: z.array(Grant),
  /** `invited`: has not chosen a password yet. */
  state: z.enum(['active', 'invited']),
  /** Until when the invitation that is out is good. */
  invited_until: Timestamp.nullable(),
  created_by: z.string(),
  created_at: Timestamp,
  last_sign_in_at: Timestamp.nullable(),
});
export type Person = z.infer<typeof Person>;

/** `GET /api/people`. */
export const PeopleAnswer = z.strictObject({ people: z.array(Person) });
export type PeopleAnswer = z.infer<typeof PeopleAnswer>;

/** `POST /api/people`. */
export const PersonDraft = z.strictObject({
  login: Login,
  name: PersonName.optional(),
  locale: PersonLocale.nullable().default(null),
  grants: Grants,
});
export type PersonDraft = z.infer<typeof PersonDraft>;

/** `PATCH /api/people/:id`. What is not named stays. */
export const PersonChange = z
  .strictObject({ name: PersonName, locale: PersonLocale.nullable(), grants: Grants })
  .partial();
export type PersonChange = z.infer<typeof PersonChange>;

/** 201 of `POST /api/people` and of `POST /api/people/:id/invitation`: the link is shown here and nowhere else. */
export const InvitedPerson = z.strictObject({
  person: Person,
  invitation: z.strictObject({ url: z.string(), expires_at: Timestamp }),
});
export type InvitedPerson = z.infer<typeof InvitedPerson>;

/** 200 of `PATCH /api/people/:id`. */
export const PersonAnswer = z.strictObject({ person: Person });
export type PersonAnswer = z.infer<typeof PersonAnswer>;
