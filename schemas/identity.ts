import { z } from 'zod';
import { DeviceJwk } from './jws.ts';
import { Id, Timestamp } from './names.ts';

/** `POST /edge/rotate-key`: the call's token is signed by the key in force, `proof` by the one that follows it. */
export const KeyRotationRequest = z.object({ device_jwk: DeviceJwk, proof: z.string().min(1).max(4_096) });
export type KeyRotationRequest = z.infer<typeof KeyRotationRequest>;
/** `thumbprint`: of the key that is in force from now on. */
export const KeyRotationAnswer = z.looseObject({ agent_id: Id, thumbprint: z.string() });
export type KeyRotationAnswer = z.infer<typeof KeyRotationAnswer>;

/** One of several processes that speak with the same identity, as the console sees them. */
export const IdentityHolder = z.looseObject({
  hostname: z.string().max(255).nullable(),
  os: z.string().max(64).nullable(),
  address: z.string().max(64),
  since: Timestamp,
  last_seen_at: Timestamp,
  /** The process that is told. */
  you: z.boolean(),
});
export const IdentityConflict = z.looseObject({
  since: Timestamp,
  machines: z.array(IdentityHolder).max(16),
});
export type IdentityConflict = z.infer<typeof IdentityConflict>;

/** What the console may say when it takes a status. */
export const StatusAnswer = z.looseObject({
  rotate_key: z.boolean().optional(),
  identity_conflict: IdentityConflict.nullish(),
});
export type StatusAnswer = z.infer<typeof StatusAnswer>;

/** `POST /edge/unenroll`. */
export const UnenrolRequest = z.object({ why: z.string().max(256).optional() });
