import { z } from 'zod';
import { FlowId, Id, Sha256, Slug, Timestamp } from './names.ts';
import { EventReason } from './reasons.ts';

export const Severity = z.enum(['info', 'warning', 'error']);
export type Severity = z.infer<typeof Severity>;

/** One line of the reconciliation history (contract, section 9). Optional members are left out, not null. */
export const Event = z.object({
  log_id: Id,
  seq: z.int().min(1),
  time: Timestamp,
  tenant: Slug,
  agent_id: Id.nullable(),
  severity: Severity,
  reason: EventReason,
  message: z.string(),
  revision: z.string().optional(),
  flow: FlowId.optional(),
  version: z.string().optional(),
  run_id: Id.optional(),
  /** The signed command it is about. */
  command_id: Id.optional(),
  because: z.string().optional(),
  repeated: z.int().min(1).optional(),
  prev: Sha256,
});
export type Event = z.infer<typeof Event>;

/** What a part of the agent says happened; the event log adds `log_id`, `seq`, `time`, `tenant`, `agent_id`, `repeated` and `prev`. */
export const EventDraft = Event.omit({
  log_id: true,
  seq: true,
  time: true,
  tenant: true,
  agent_id: true,
  repeated: true,
  prev: true,
});
export type EventDraft = z.infer<typeof EventDraft>;

export const EVENT_BATCH_MAX = 500;
/** Of a line of the log, as UTF-8 without the line feed. */
export const EVENT_LINE_MAX_BYTES = 64 * 1024;
export const EventBatch = z.object({ log_id: Id, events: z.array(Event).max(EVENT_BATCH_MAX) });
export type EventBatch = z.infer<typeof EventBatch>;
export const EventBatchAnswer = z.looseObject({ next_seq: z.int().min(1) });
