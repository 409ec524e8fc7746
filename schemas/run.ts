import { z } from 'zod';
import { VersionDirectory } from './current.ts';
import { FlowId, Id, Sha256, Timestamp } from './names.ts';

export const RunStatus = z.enum(['succeeded', 'failed', 'timed_out', 'cancelled', 'lost']);
export type RunStatus = z.infer<typeof RunStatus>;

export const RunState = z.enum(['queued', 'running', ...RunStatus.options]);
export type RunState = z.infer<typeof RunState>;

export const TriggerKind = z.enum(['command', 'schedule', 'local']);
export type TriggerKind = z.infer<typeof TriggerKind>;

export const RunOutput = z.object({ name: z.string(), size: z.int().min(0), sha256: Sha256 });
export type RunOutput = z.infer<typeof RunOutput>;

/** Body of `POST /edge/notify` (contract, section 7): one finished run, after its last attempt. */
export const RunReport = z.object({
  run_id: Id,
  stdout: z.string(),
  stderr: z.string(),
  status: RunStatus,
  attempt: z.int().min(0),
  flow: FlowId,
  version: VersionDirectory.nullable(),
  sha256: Sha256.nullable(),
  revision: z.string().nullable(),
  trigger: TriggerKind,
  exit_code: z.int().nullable(),
  reason: z.string().nullable(),
  started_at: Timestamp.nullable(),
  finished_at: Timestamp,
  truncated: z.object({ stdout: z.int().min(0), stderr: z.int().min(0) }),
  outputs: z.array(RunOutput),
});
export type RunReport = z.infer<typeof RunReport>;

/** One line of `edge-agent runs`. */
export const RunSummary = z.object({
  run_id: Id,
  flow: FlowId,
  version: z.string().nullable(),
  state: RunState,
  trigger: TriggerKind,
  attempt: z.int().min(0),
  queued_at: Timestamp,
  started_at: Timestamp.nullable(),
  finished_at: Timestamp.nullable(),
  exit_code: z.int().nullable(),
  reason: z.string().nullable(),
});
export type RunSummary = z.infer<typeof RunSummary>;
