import { z } from 'zod';
import { FlowId, Id, Slug, Timestamp } from '../names.ts';
import { RunOutput } from '../run.ts';
import { CommitInfo } from '../status.ts';
import { before, limit, oneOf, search, TenantQuery } from './page.ts';

/** `asked`: a command is on its way to the agent; `refused` and `expired`: it never began. The others are the agent's words. */
export const ConsoleRunState = z.enum([
  'asked',
  'queued',
  'running',
  'succeeded',
  'failed',
  'timed_out',
  'cancelled',
  'lost',
  'refused',
  'expired',
]);
export type ConsoleRunState = z.infer<typeof ConsoleRunState>;

export const RunRow = z.object({
  /** Of the list, for `before`; newer runs have higher ones. */
  id: z.int(),
  tenant: Slug,
  agent_id: Id,
  hostname: z.string(),
  run_id: Id,
  flow: FlowId,
  version: z.string().nullable(),
  /** Word of the list since its beginning: `status` of a report, or the same as `state` until there is one. */
  status: z.string(),
  state: ConsoleRunState,
  trigger: z.enum(['command', 'schedule', 'local']).nullable(),
  attempt: z.int(),
  exit_code: z.int().nullable(),
  reason: z.string().nullable(),
  asked_at: Timestamp.nullable(),
  started_at: Timestamp.nullable(),
  finished_at: Timestamp.nullable(),
  received_at: Timestamp,
});
export type RunRow = z.infer<typeof RunRow>;

export const RunsQuery = TenantQuery.extend({
  q: search,
  agent: Id.optional(),
  flow: FlowId.optional(),
  version: z.string().max(80).optional(),
  state: oneOf(ConsoleRunState),
  trigger: z.enum(['command', 'schedule', 'local']).optional(),
  since: Timestamp.optional(),
  until: Timestamp.optional(),
  before,
  limit,
});
export const RunsAnswer = z.object({ runs: z.array(RunRow), next_before: z.int().nullable() });
export type RunsAnswer = z.infer<typeof RunsAnswer>;

/** A step on the way from the trigger to the result, in order. */
export const RunStep = z.object({
  kind: z.enum([
    'asked',
    'sent',
    'acknowledged',
    'refused',
    'expired',
    'started',
    'retried',
    'cancel_asked',
    'ended',
    'reported',
  ]),
  at: Timestamp,
  /** Who asked, for `asked` and `cancel_asked`. */
  by: z.string().nullable(),
  attempt: z.int().nullable(),
  /** Why, in the words of whoever says so. */
  message: z.string().nullable(),
});
export type RunStep = z.infer<typeof RunStep>;

/** A file that the run left, and where it is when the agent has sent it. */
export const RunFile = RunOutput.extend({
  upload_id: z.string().nullable(),
  received: z.int().nullable(),
  /** Shown in the page: an image of a closed list of types, told by its first bytes; text; or a download alone. */
  show: z.enum(['image', 'text', 'download']),
});
export type RunFile = z.infer<typeof RunFile>;

/** `GET /api/agents/:id/runs/:run_id` */
export const RunDetail = RunRow.extend({
  steps: z.array(RunStep),
  sha256: z.string().nullable(),
  revision: z.string().nullable(),
  commit: CommitInfo.nullable(),
  command: z
    .object({
      command_id: Id,
      state: z.string(),
      code: z.string().nullable(),
      message: z.string().nullable(),
    })
    .nullable(),
  logs: z.array(z.object({ attempt: z.int(), stream: z.enum(['stdout', 'stderr']), bytes: z.int() })),
  /** From the report: bytes that were dropped; null before it came. */
  truncated: z.object({ stdout: z.int(), stderr: z.int() }).nullable(),
  /** Of the report, at most 64 KiB from the end each, for runs without a live log; null before it came. */
  report_tail: z.object({ stdout: z.string(), stderr: z.string() }).nullable(),
  files: z.array(RunFile),
});
export type RunDetail = z.infer<typeof RunDetail>;
