import { z } from 'zod';
import { FlowId, Slug, Timestamp } from '../names.ts';
import { AgentChange, AgentRow, AgentState } from './agent.ts';
import { ReleaseRow } from './release.ts';

/** Agents that stay off their branch for a flow, as somebody rolled it back by hand and nobody has resumed it. */
export const HeldBack = z.object({
  agents: z.int(),
  /** Of how many flows, over all of them. */
  flows: z.int(),
  /** At most three of the flows, those that the most agents hold back first. */
  names: z.array(FlowId),
});
export type HeldBack = z.infer<typeof HeldBack>;

/**
 * One sentence for the whole: `code` and its numbers for those who translate it, `text` in English for those who do not.
 * `level` says how it is meant to look;
 * `calm`: it is as somebody wants it, and is not to be forgotten.
 */
export const Verdict = z.object({
  level: z.enum(['ok', 'calm', 'busy', 'attention', 'bad', 'empty']),
  code: z.enum([
    'no_tenants',
    'no_agents',
    'all_ready',
    'some_held',
    'rolling_out',
    'some_suspended',
    'some_waiting',
    'some_unreachable',
    'some_unhealthy',
    'some_stalled',
  ]),
  /** Agents that the sentence is about, of all that are not revoked. */
  count: z.int(),
  total: z.int(),
  /** The reason that most of them give, and how many do. */
  main: z.object({ reason: z.string(), message: z.string(), count: z.int() }).nullable(),
  text: z.string(),
});
export type Verdict = z.infer<typeof Verdict>;

/** Like changes of many agents are one line. */
export const ChangeGroup = AgentChange.omit({ id: true, agent_id: true, hostname: true }).extend({
  count: z.int(),
  /** How many agents they are of: one that went there and back twice is one. Absent where it is not known, as of very many at once. */
  agents_count: z.int().optional(),
  /** Up to three of them. */
  agents: z.array(z.object({ agent_id: z.string(), hostname: z.string() })),
});
export type ChangeGroup = z.infer<typeof ChangeGroup>;

/** `GET /api/overview?tenant=` */
export const Overview = z.object({
  time: Timestamp,
  tenants: z.array(Slug),
  verdict: Verdict,
  /** Every state, also those of which there is none. */
  states: z.record(AgentState, z.int()),
  total: z.int(),
  connected: z.int(),
  held: HeldBack,
  runs: z.object({
    running: z.int(),
    queued: z.int(),
    /** Ended within the last hour. */
    succeeded: z.int(),
    failed: z.int(),
  }),
  /** At most ten, worst first. */
  worst: z.array(AgentRow),
  /** Within the last hour, newest first, at most 50 groups. */
  changes: z.array(ChangeGroup),
  /** Releases that are on their way, newest first, at most five. */
  rollouts: z.array(ReleaseRow),
});
export type Overview = z.infer<typeof Overview>;
