import type { AgentState } from '../../../../schemas/console/agent.ts';
import { STATES_WORST_FIRST, silentSince } from '../../../fleet/agent-state.ts';
import type { TenantScope } from '../../ports/tenant-scope.ts';

/** Every list begins here: an agent that has never reported may have no summary yet. */
export const AGENTS_WITH_SUMMARIES = 'agents a LEFT JOIN agent_summaries s ON s.agent_id = a.agent_id';

/**
 * Where few summaries are asked for, and those that are not there are not: CROSS is how SQLite is told to look at summaries first,
 * and only then at their agents (https://sqlite.org/optoverview.html#crossjoin).
 */
export const SUMMARIES_OF_AGENTS = 'agent_summaries s CROSS JOIN agents a ON a.agent_id = s.agent_id';

/** `agentState` in SQL, over that; `:silent` is `silentParameter`. */
export const STATE = `CASE
  WHEN a.revoked_at IS NOT NULL THEN 'revoked'
  WHEN s.reported_at IS NULL THEN 'waiting'
  WHEN s.stalled THEN 'stalled'
  WHEN s.health = 'unhealthy' THEN 'unhealthy'
  WHEN a.last_seen_at IS NULL OR a.last_seen_at < :silent THEN 'unreachable'
  WHEN s.is_suspended THEN 'suspended'
  WHEN s.ready THEN 'ready'
  ELSE 'reconciling' END`;

/** 0 for the worst. Over a column `state`. */
export const RANK = `CASE state ${STATES_WORST_FIRST.map((state, rank) => `WHEN '${state}' THEN ${rank}`).join(' ')} END`;

export function silentParameter(now: Date): { readonly silent: string } {
  return { silent: silentSince(now).toISOString() };
}

/** `:tenants` of `IN_SCOPE`. */
export function scopeParameter(scope: TenantScope): { readonly tenants: string | null } {
  return { tenants: scope === '*' ? null : JSON.stringify(scope) };
}

/** Of a column with a tenant's slug. */
export function inScope(column: string): string {
  return `(:tenants IS NULL OR ${column} IN (SELECT value FROM json_each(:tenants)))`;
}

/** Words that all have to occur, in lower case; at most so many. */
const WORDS_MAX = 16;
export function wordsOf(q: string | undefined): string[] {
  return (q ?? '')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
    .slice(0, WORDS_MAX);
}

export function stateList(states: readonly AgentState[]): string {
  return JSON.stringify(states);
}
