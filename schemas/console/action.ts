import { z } from 'zod';
import { isWithinDepth } from '../json-depth.ts';
import { FlowId, Id, Slug, Timestamp } from '../names.ts';
import { AgentFilter } from './agent.ts';
import { ConsoleRunState } from './run.ts';

/** What a person may ask of agents. `reconcile` is an unsigned nudge and `revoke` the console's own; the others are signed commands. */
export const ActionName = z.enum(['reconcile', 'run', 'cancel', 'suspend', 'resume', 'rollback', 'revoke']);
export type ActionName = z.infer<typeof ActionName>;

/** Agents by id, or all that match (those that match when it is done; `expected` guards against doing it to more than were shown). */
export const ActionTargets = z.union([
  z.strictObject({ agents: z.array(Id).min(1).max(1_000) }),
  z.strictObject({ filter: AgentFilter, expected: z.int().min(1) }),
]);

const INPUTS_DEPTH_MAX = 64;

/**
 * What a run is given; any JSON. Its depth is looked at without recursion, before anything that recurses sees it: an agent takes
 * some thirty levels, and says so itself.
 */
const Inputs = z
  .record(z.string(), z.unknown())
  .refine(
    (inputs) => isWithinDepth(inputs, INPUTS_DEPTH_MAX),
    `expected at most ${INPUTS_DEPTH_MAX} levels of nesting`,
  );

/** `POST /api/actions`. With `dry_run` nothing is done, and the answer says what would be. */
export const ActionRequest = z.strictObject({
  action: ActionName,
  targets: ActionTargets,
  /** Why; goes to the agent where the command has a place for it, and into the audit. */
  reason: z.string().trim().min(1).max(256),
  dry_run: z.boolean().default(false),
  /** Of `run` and `rollback`. */
  flow: FlowId.optional(),
  version: z.string().max(80).optional(),
  inputs: Inputs.optional(),
  timeout: z.string().max(16).optional(),
  /** Of `cancel`. */
  run_id: Id.optional(),
  /** Of `suspend`. */
  until: Timestamp.optional(),
});
export type ActionRequest = z.input<typeof ActionRequest>;

export const ActionOutcome = z.object({
  agent_id: Id,
  tenant: Slug,
  hostname: z.string(),
  /** `queued`: signed and on disk, sent as soon as the agent is connected; `nudged`, `done`: at once; `refused`: not for this one. */
  outcome: z.enum(['queued', 'nudged', 'done', 'refused']),
  connected: z.boolean(),
  command_id: Id.nullable(),
  run_id: Id.nullable(),
  code: z.string().nullable(),
  message: z.string().nullable(),
});
export type ActionOutcome = z.infer<typeof ActionOutcome>;

export const ActionAnswer = z.object({
  action: ActionName,
  dry_run: z.boolean(),
  /** Numbers over all outcomes, also of those that are not listed. */
  counts: z.object({
    total: z.int(),
    queued: z.int(),
    nudged: z.int(),
    done: z.int(),
    refused: z.int(),
    offline: z.int(),
  }),
  /** At most 200, the refused first. */
  outcomes: z.array(ActionOutcome),
  /** For `rollback`: which version goes to which, and on how many agents. */
  versions: z.array(
    z.object({ flow: FlowId, from: z.string().nullable(), to: z.string().nullable(), agents: z.int() }),
  ),
});
export type ActionAnswer = z.infer<typeof ActionAnswer>;

/** `GET /flows`, as the Builder asks for it. */
export const BuilderFlow = z.object({
  id: FlowId,
  tenant: Slug,
  runtime: z.string().nullable(),
  version: z.string().nullable(),
  agents: z.int(),
  connected: z.int(),
});
export type BuilderFlow = z.infer<typeof BuilderFlow>;
export const BuilderFlows = z.object({ flows: z.array(BuilderFlow) });

/** `POST /flows/:id/run`: on one agent (`agent_id`), or on the one that is free, healthy and connected. */
export const BuilderRun = z.strictObject({
  inputs: Inputs.default({}),
  tenant: Slug.optional(),
  agent_id: Id.optional(),
  version: z.string().max(80).optional(),
  timeout: z.string().max(16).optional(),
  reason: z.string().trim().min(1).max(256).optional(),
  /** Answer when the run has ended, at most so many seconds later. */
  wait: z.int().min(0).max(300).default(0),
});
export type BuilderRun = z.infer<typeof BuilderRun>;
export const BuilderRunAnswer = z.object({
  run_id: Id,
  command_id: Id,
  agent_id: Id,
  tenant: Slug,
  flow: FlowId,
  state: ConsoleRunState,
  connected: z.boolean(),
  /** Why it ended so, or never began; null otherwise. */
  message: z.string().nullable(),
  /** The notify body, once there is one and it was waited for. */
  result: z.looseObject({}).nullable(),
});
export type BuilderRunAnswer = z.infer<typeof BuilderRunAnswer>;
