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

/**
 * What a run was given, as far as the console knows: `given` word for word; `large`, to be asked for at `…/inputs`; `withheld` from
 * whoever may not operate the flow; `none`; `elsewhere`, on the machine alone, as it was not asked for through this console;
 * `forgotten`, with the command that had them.
 */
export const RunInputs = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('given'), bytes: z.int(), value: z.unknown() }),
  z.object({ kind: z.literal('large'), bytes: z.int() }),
  z.object({ kind: z.enum(['withheld', 'none', 'elsewhere', 'forgotten']) }),
]);
export type RunInputs = z.infer<typeof RunInputs>;

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
  inputs: RunInputs,
  logs: z.array(z.object({ attempt: z.int(), stream: z.enum(['stdout', 'stderr']), bytes: z.int() })),
  /** From the report: bytes that were dropped; null before it came. */
  truncated: z.object({ stdout: z.int(), stderr: z.int() }).nullable(),
  /** Of the report, at most 64 KiB from the end each, for runs without a live log; null before it came. */
  report_tail: z.object({ stdout: z.string(), stderr: z.string() }).nullable(),
  files: z.array(RunFile),
});
export type RunDetail = z.infer<typeof RunDetail>;

/** `GET /api/agents/:id/runs/:run_id/log/search`: one stream of one attempt. */
export const LogSearchQuery = TenantQuery.extend({
  /** Looked for as it is, but for upper and lower case and for colours. */
  q: z.string().min(1).max(200),
  stream: z.enum(['stdout', 'stderr']).default('stdout'),
  /** The last one where none is asked for. */
  attempt: z.coerce.number().int().min(1).max(1_000_000).optional(),
  /** Byte from which on lines count. */
  offset: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
});
export const LogSearchAnswer = z.object({
  matches: z.array(
    z.object({
      /** From 1. */
      line: z.int(),
      /** Of the byte that the line begins with. */
      offset: z.int(),
      /** The line without colours, at most 400 characters of it, with what was found among them. */
      text: z.string(),
    }),
  ),
  /** How many lines match, also of those that are not listed. */
  total: z.int(),
  /** Of the whole stream, as far as it has come. */
  lines: z.int(),
  bytes: z.int(),
});
export type LogSearchAnswer = z.infer<typeof LogSearchAnswer>;

/** `GET /api/uploads/:id`: to keep; with `show`, an image (PNG, JPEG, WebP, GIF by its first bytes) as what it is, else 415. */
export const UploadQuery = TenantQuery.extend({ show: z.string().optional() });
