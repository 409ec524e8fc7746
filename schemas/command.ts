import { z } from 'zod';
import { Duration } from './duration.ts';
import { FlowId, Id, Slug, Timestamp, VersionName } from './names.ts';

const Who = z.string().min(1).max(256);
const Why = z.string().min(1).max(1_024);
const envelope = { command_id: Id, tenant: Slug, agent_id: Id, issued: Timestamp, expires: Timestamp };

/** Payload of a signed command (contract, section 8). `expires` is at most 24 h after `issued`; the verifier checks it. */
export const Command = z.discriminatedUnion('action', [
  z.looseObject({
    ...envelope,
    action: z.literal('run'),
    run_id: Id,
    flow: FlowId,
    version: VersionName.optional(),
    inputs: z.json().optional(),
    timeout: Duration.optional(),
  }),
  z.looseObject({ ...envelope, action: z.literal('cancel'), run_id: Id }),
  z.looseObject({
    ...envelope,
    action: z.literal('suspend'),
    by: Who,
    why: Why,
    until: Timestamp.optional(),
  }),
  z.looseObject({ ...envelope, action: z.literal('resume'), by: Who }),
  z.looseObject({ ...envelope, action: z.literal('rollback'), flow: FlowId, by: Who, why: Why }),
]);
export type Command = z.infer<typeof Command>;
