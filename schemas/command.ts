import { z } from 'zod';
import { PositiveDuration } from './duration.ts';
import { FlowId, Id, isWindowsDeviceName, Slug, Timestamp, VersionName } from './names.ts';

const Who = z.string().min(1).max(256);
const Why = z.string().min(1).max(1_024);
/** Names a folder here (`runs/<run_id>`), so it may not name another one: not `..`, and nothing Windows reads as a device. */
const RunId = Id.refine(
  (id) => !id.endsWith('.') && !isWindowsDeviceName(id),
  'expected an id that can name a folder: no dot at its end, no Windows device (CON, NUL, …)',
);
const envelope = { command_id: Id, tenant: Slug, agent_id: Id, issued: Timestamp, expires: Timestamp };

/** Payload of a signed command (contract, section 8). `expires` is at most 24 h after `issued`; the verifier checks it. */
export const Command = z.discriminatedUnion('action', [
  z.looseObject({
    ...envelope,
    action: z.literal('run'),
    run_id: RunId,
    flow: FlowId,
    version: VersionName.optional(),
    inputs: z.json().optional(),
    timeout: PositiveDuration.optional(),
  }),
  z.looseObject({ ...envelope, action: z.literal('cancel'), run_id: RunId }),
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
