import { z } from 'zod';
import { Id, Timestamp } from '../names.ts';
import { before, limit, TenantQuery } from './page.ts';
import { ConsoleRunState } from './run.ts';

const moment = Timestamp.nullable();

/** A signed command, how far it has come, and what the agent says came of it. */
export const CommandRow = z.object({
  id: z.int(),
  command_id: Id,
  agent_id: Id,
  action: z.string(),
  run_id: z.string().nullable(),
  /** On its way to the agent; `acknowledged` is on its disk. */
  state: z.enum(['queued', 'sent', 'acknowledged', 'refused', 'expired']),
  /** Why it was refused. */
  code: z.string().nullable(),
  message: z.string().nullable(),
  created_at: Timestamp,
  expires_at: Timestamp,
  sent_at: moment,
  settled_at: moment,
  asked_by: z.string().nullable(),
  why: z.string().nullable(),
  /** What it is about; `version` is the one it asks for, that of its run, or the one a roll-back made active. */
  flow: z.string().nullable(),
  version: z.string().nullable(),
  /** By the agent's events; null while they do not say. */
  outcome: z.enum(['done', 'failed']).nullable(),
  outcome_at: moment,
  outcome_message: z.string().nullable(),
  /** How the run stands that it asks for, or asks the end of. */
  run_state: ConsoleRunState.nullable(),
});
export type CommandRow = z.infer<typeof CommandRow>;

/** `GET /api/agents/:id/commands` */
export const CommandsQuery = TenantQuery.extend({ before, limit });
export const CommandsAnswer = z.object({
  commands: z.array(CommandRow),
  next_before: z.int().nullable(),
});
export type CommandsAnswer = z.infer<typeof CommandsAnswer>;
