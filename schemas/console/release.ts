import { z } from 'zod';
import { FlowId, Slug, Timestamp } from '../names.ts';
import { CommitInfo } from '../status.ts';
import { limit, offset, order, search, TenantQuery } from './page.ts';

/** A revision of a tenant's branch, as the console's own git and the agents tell of it, and how far it has got. */
export const ReleaseRow = z.object({
  tenant: Slug,
  revision: z.string(),
  commit: CommitInfo.nullable(),
  /** Of the signed statement; null where the console has not seen it. */
  seq: z.int().nullable(),
  first_seen_at: Timestamp,
  /** The newest revision of the branch that is known. */
  newest: z.boolean(),
  agents: z.object({
    /** Have applied it in full, and hold no flow back. */
    applied: z.int(),
    /** Have applied it, but for a flow that somebody rolled back by hand. */
    held: z.int(),
    /** Want it and are on their way. */
    reconciling: z.int(),
    /** Want it and cannot: stalled or unhealthy. */
    failing: z.int(),
    /** Have another and have not been heard of with this one (unreachable, suspended, not looked yet); of the newest only. */
    pending: z.int(),
    /** Agents of the tenant that are not revoked. */
    total: z.int(),
  }),
});
export type ReleaseRow = z.infer<typeof ReleaseRow>;

export const ReleasesQuery = TenantQuery.extend({ q: search, limit, offset });
export const ReleasesAnswer = z.object({ releases: z.array(ReleaseRow), total: z.int() });
export type ReleasesAnswer = z.infer<typeof ReleasesAnswer>;

/** `GET /api/releases/:tenant/:revision` */
export const ReleaseDetail = ReleaseRow.extend({
  /** What the manifest says; empty where the console cannot read it. */
  flows: z.array(
    z.object({
      id: FlowId,
      version: z.string(),
      sha256: z.string(),
      runtime: z.string(),
      schedule: z.string().nullable(),
    }),
  ),
  /** How many had applied it by then: at most 200 points. */
  progress: z.array(z.object({ at: Timestamp, applied: z.int() })),
  /** Why those that fail do, the most frequent first. */
  problems: z.array(z.object({ reason: z.string(), message: z.string(), count: z.int() })),
});
export type ReleaseDetail = z.infer<typeof ReleaseDetail>;

/** A flow, over all agents of its tenant. */
export const FlowRow = z.object({
  tenant: Slug,
  flow: FlowId,
  runtime: z.string().nullable(),
  /**
   * Which versions are active on how many agents, most agents first; `desired`: how many should have it;
   * `held`: on how many it is active because somebody rolled back to it by hand.
   */
  versions: z.array(z.object({ version: z.string(), active: z.int(), desired: z.int(), held: z.int() })),
  agents: z.int(),
  healthy: z.int(),
  unhealthy: z.int(),
  /** Reported within the last 24 hours. */
  runs: z.object({ succeeded: z.int(), failed: z.int() }),
  last_run: z
    .object({ run_id: z.string(), agent_id: z.string(), state: z.string(), at: Timestamp })
    .nullable(),
});
export type FlowRow = z.infer<typeof FlowRow>;

export const FlowSort = z.enum(['flow', 'agents', 'unhealthy', 'failed']);
export type FlowSort = z.infer<typeof FlowSort>;
export const FlowsQuery = TenantQuery.extend({
  q: search,
  sort: FlowSort.default('flow'),
  order,
  limit,
  offset,
});
export const FlowsAnswer = z.object({ flows: z.array(FlowRow), total: z.int() });
export type FlowsAnswer = z.infer<typeof FlowsAnswer>;
