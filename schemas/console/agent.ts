import { z } from 'zod';
import { FlowId, Id, Slug, Timestamp } from '../names.ts';
import { CommitInfo, DiskVersion, FlowHealth, Status, Suspension } from '../status.ts';
import { before, limit, offset, oneOf, order, search, TenantQuery } from './page.ts';

/** How an agent stands, worst first. `unreachable`: not heard for eleven minutes; `waiting`: enrolled, and never heard of since. */
export const AgentState = z.enum([
  'stalled',
  'unhealthy',
  'unreachable',
  'reconciling',
  'suspended',
  'waiting',
  'ready',
  'revoked',
]);
export type AgentState = z.infer<typeof AgentState>;

/**
 * A flow that somebody rolled back by hand: the agent stays off its branch for it until another version of it is released, or until
 * `resume`. Nothing is wrong with the agent, which is why it has to be said.
 */
export const HeldFlow = z.object({
  flow: FlowId,
  /** The active one. */
  version: z.string().nullable(),
  /** What its branch asks for; null when the agent does not know yet. */
  desired: z.string().nullable(),
  by: z.string(),
  why: z.string(),
  since: Timestamp,
});
export type HeldFlow = z.infer<typeof HeldFlow>;

/** One line of the list: what is needed to see what is wrong, and no more (a whole status is asked for by id). */
export const AgentRow = z.object({
  agent_id: Id,
  tenant: Slug,
  hostname: z.string(),
  os: z.string(),
  arch: z.string(),
  agent_version: z.string(),
  labels: z.record(z.string(), z.string()),
  state: AgentState,
  /** Since when it is in that state, as far as the console knows. */
  state_since: Timestamp.nullable(),
  tunnel: z.object({ connected: z.boolean(), since: Timestamp.nullable() }),
  /** Worst of its flows; null without flows or without a status. */
  health: FlowHealth.nullable(),
  /** The condition that says what is wrong, word for word; null when nothing is. */
  problem: z
    .object({ type: z.string(), reason: z.string(), message: z.string(), since: Timestamp })
    .nullable(),
  desired_revision: z.string().nullable(),
  applied_revision: z.string().nullable(),
  commit: CommitInfo.nullable(),
  last_sync_at: Timestamp.nullable(),
  last_seen_at: Timestamp.nullable(),
  enrolled_at: Timestamp,
  suspended: Suspension.nullable(),
  runs: z.object({ running: z.int(), queued: z.int() }).nullable(),
  flows: z.int(),
  /** At most twenty. */
  held: z.array(HeldFlow),
  identity_conflict: z.boolean(),
});
export type AgentRow = z.infer<typeof AgentRow>;

export const AgentSort = z.enum([
  'state',
  'hostname',
  'last_seen_at',
  'last_sync_at',
  'enrolled_at',
  'version',
]);
export type AgentSort = z.infer<typeof AgentSort>;

/** Filters of `GET /api/agents` and of actions on a selection: all that are given have to hold. */
export const AgentFilter = TenantQuery.extend({
  /** In id, host name, labels, versions, revisions, flow names, the problem's reason and message. */
  q: search,
  state: oneOf(AgentState),
  tunnel: z.enum(['connected', 'disconnected']).optional(),
  health: FlowHealth.optional(),
  os: z.string().max(64).optional(),
  agent_version: z.string().max(64).optional(),
  /** `key:value`; every one of them. */
  label: oneOf(z.string().regex(/^[^:]{1,63}:.{0,255}$/, 'expected key:value, such as ring:canary')),
  flow: FlowId.optional(),
  /** Active version of that flow. */
  version: z.string().max(80).optional(),
  /** Revision applied in full (a prefix of at least seven digits will do). */
  revision: z.string().max(160).optional(),
  /** Stays off its branch for a flow that was rolled back by hand: for that flow at that version, where these are given. */
  held: z.enum(['yes', 'no']).optional(),
});
export type AgentFilter = z.infer<typeof AgentFilter>;

export const AgentsQuery = AgentFilter.extend({ sort: AgentSort.default('state'), order, limit, offset });
export const AgentsAnswer = z.object({
  agents: z.array(AgentRow),
  /** How many match, on all pages. */
  total: z.int(),
  /** Of those that match the other filters, whatever their state. */
  states: z.partialRecord(AgentState, z.int()),
});
export type AgentsAnswer = z.infer<typeof AgentsAnswer>;

/** `GET /api/agents/:id`: the row, and all that is known. */
export const AgentDetail = AgentRow.extend({
  /** The newest status document, as it was sent. */
  status: Status.loose().nullable(),
  status_received_at: Timestamp.nullable(),
  revoked_at: Timestamp.nullable(),
  revoked_by: z.string().nullable(),
  revoked_why: z.string().nullable(),
  /** Two machines with its identity, as far as is known; null when there was never a sign of it. The row's is true while it goes on. */
  identity_conflict: z.looseObject({ state: z.enum(['ongoing', 'past']), since: Timestamp }).nullable(),
  /** Whether this console can sign commands for it (it holds a trigger key of the tenant). */
  can_command: z.boolean(),
}).loose();
export type AgentDetail = z.infer<typeof AgentDetail>;

/** Of `status.versions`. */
export { DiskVersion };

/** What changed in a status: one entry for each change of state, revision, active version or suspension. */
export const AgentChange = z.object({
  id: z.int(),
  at: Timestamp,
  tenant: Slug,
  agent_id: Id,
  hostname: z.string(),
  kind: z.enum([
    'state',
    'revision',
    'version',
    'suspended',
    'resumed',
    'held',
    'released',
    'enrolled',
    'revoked',
    'connected',
    'disconnected',
  ]),
  from: z.string().nullable(),
  to: z.string().nullable(),
  flow: FlowId.nullable(),
  reason: z.string().nullable(),
  message: z.string().nullable(),
});
export type AgentChange = z.infer<typeof AgentChange>;

export const HistoryQuery = TenantQuery.extend({ before, limit });
export const HistoryAnswer = z.object({ changes: z.array(AgentChange), next_before: z.int().nullable() });
export type HistoryAnswer = z.infer<typeof HistoryAnswer>;
