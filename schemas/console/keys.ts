import { z } from 'zod';
import { Id, Timestamp } from '../names.ts';
import { Grant, Grants } from './people.ts';

export const KeyLabel = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, 'expected a label of visible characters');

/** A key of the API as it is listed; the key itself is kept nowhere. */
export const ApiKey = z.strictObject({
  id: Id,
  label: z.string(),
  grants: z.array(Grant),
  /** Null: made before this was written down. */
  created_by: z.string().nullable(),
  created_at: Timestamp,
  /** To ten minutes. */
  last_used_at: Timestamp.nullable(),
  expires_at: Timestamp.nullable(),
  revoked_at: Timestamp.nullable(),
  state: z.enum(['active', 'expired', 'revoked']),
});
export type ApiKey = z.infer<typeof ApiKey>;

/** `GET /api/keys`. */
export const KeysAnswer = z.strictObject({ keys: z.array(ApiKey) });
export type KeysAnswer = z.infer<typeof KeysAnswer>;

/** `POST /api/keys`. */
export const KeyDraft = z.strictObject({
  label: KeyLabel,
  grants: Grants,
  /** Absent or null: until it is revoked. */
  expires_at: Timestamp.nullable().default(null),
});
export type KeyDraft = z.infer<typeof KeyDraft>;

/** 201 of `POST /api/keys`: the key is shown here and nowhere else. */
export const NewKeyAnswer = z.strictObject({ key: ApiKey, secret: z.string() });
export type NewKeyAnswer = z.infer<typeof NewKeyAnswer>;

/** 200 of `DELETE /api/keys/:id`. */
export const KeyAnswer = z.strictObject({ key: ApiKey });
export type KeyAnswer = z.infer<typeof KeyAnswer>;
