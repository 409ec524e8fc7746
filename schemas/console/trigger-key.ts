import { z } from 'zod';
import { PrivateJwk } from '../jws.ts';
import { Timestamp } from '../names.ts';

/** `PUT /api/tenants/:slug/trigger-key`: a private key as "edge-agent keys new" has made it. It is never shown again. */
export const TriggerKeyGift = z.strictObject({ key: PrivateJwk });
export type TriggerKeyGift = z.input<typeof TriggerKeyGift>;

/** Which key the console signs with, by its thumbprint. */
export const TriggerKeyFacts = z.object({ kid: z.string(), added_at: Timestamp, added_by: z.string() });
export type TriggerKeyFacts = z.infer<typeof TriggerKeyFacts>;
/** 200 of `PUT` and `DELETE`; null: there is none. */
export const TriggerKeyAnswer = z.object({ trigger_key: TriggerKeyFacts.nullable() });
export type TriggerKeyAnswer = z.infer<typeof TriggerKeyAnswer>;
