import { z } from 'zod';
import { FlowId, Id, Timestamp } from './names.ts';

export const TUNNEL_FRAME_MAX_BYTES = 1024 * 1024;

export const TunnelFrameType = z.enum([
  'edgeflows.hello',
  'edgeflows.heartbeat',
  'edgeflows.command',
  'edgeflows.reconcile.request',
  'edgeflows.echo.request',
  'edgeflows.echo.reply',
  'edgeflows.ack',
  'edgeflows.goaway',
  'edgeflows.run.started',
  'edgeflows.run.completed',
  'edgeflows.run.log',
  'edgeflows.run.log.ack',
  'edgeflows.status',
  'edgeflows.identity.conflict',
]);

/** One CloudEvents 1.0 structured event a text frame (contract, section 8); `data` is checked by its own schema below. */
export const TunnelFrame = z.looseObject({
  specversion: z.literal('1.0'),
  type: z.string().min(1).max(128),
  id: z.string().min(1).max(64),
  source: z.string().min(1).max(256),
  time: Timestamp.optional(),
  datacontenttype: z.string().max(128).optional(),
  data: z.unknown().optional(),
});
export type TunnelFrame = z.infer<typeof TunnelFrame>;

export const AgentHello = z.looseObject({
  agent_id: Id,
  agent_version: z.string(),
  boot_id: z.string(),
  log_id: Id,
  next_seq: z.int().min(1),
  active_revision: z.string().nullable(),
});
export type AgentHello = z.infer<typeof AgentHello>;
export const ConsoleHello = z.looseObject({
  session: z.string(),
  heartbeat_ms: z.int().min(1),
  time: Timestamp,
});
export type ConsoleHello = z.infer<typeof ConsoleHello>;
export const ReconcileRequest = z.looseObject({ revision: z.string().optional() });
/** `ids`: persisted, will not be lost. `refused` (ours, beside it): not persisted and not to be sent again. */
export const Ack = z.looseObject({
  ids: z.array(Id).max(1_000),
  refused: z
    .array(z.looseObject({ id: Id, code: z.string(), message: z.string() }))
    .max(1_000)
    .optional(),
});
export const Goaway = z.looseObject({ after_ms: z.int().min(0), reason: z.string() });
/** Beyond it nobody could ask for what the attempt printed. */
const Attempt = z.int().min(1).max(1_000_000);
export const RunStarted = z.looseObject({
  run_id: Id,
  attempt: Attempt,
  flow: FlowId,
  version: z.string(),
  at: Timestamp,
});
export type RunStarted = z.infer<typeof RunStarted>;
const LogPosition = {
  run_id: Id,
  attempt: Attempt,
  stream: z.enum(['stdout', 'stderr']),
  offset: z.int().min(0),
};
export const RunLog = z.looseObject({ ...LogPosition, data: z.base64().max(88_000) });
export type RunLog = z.infer<typeof RunLog>;
export const RunLogAck = z.looseObject(LogPosition);
export type RunLogAck = z.infer<typeof RunLogAck>;
