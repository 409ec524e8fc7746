import type { AgentState } from '../../../../schemas/console/agent.ts';
import type { FlowHealth } from '../../../../schemas/status.ts';
import { UNREACHABLE_AFTER_MS } from '../../../fleet/agent-state.ts';
import type { ListedAgent } from '../../ports/fleet.ts';
import type { ConsoleDatabase } from '../database.ts';
import { AGENTS_WITH_SUMMARIES, STATE, silentParameter } from './standing-columns.ts';
import type { SummaryRest } from './summary-writer.ts';

/** `identity_conflicts` keeps those of the past too; one goes on for so long after its last sign (`identity-watch.ts`). */
const CONFLICT_LASTS_MS = 15 * 60_000;

interface Row {
  agent_id: string;
  tenant: string;
  thumbprint: string;
  hostname: string;
  os: string;
  arch: string;
  agent_version: string;
  enrolled_at: string;
  last_seen_at: string | null;
  key_since: string | null;
  rotation_asked_at: string | null;
  revoked_at: string | null;
  revoked_by: string | null;
  revoked_why: string | null;
  state: AgentState;
  noted_state: AgentState | null;
  state_since: string | null;
  connected: number | null;
  connected_since: string | null;
  health: FlowHealth | null;
  desired_revision: string | null;
  applied_revision: string | null;
  last_sync_at: string | null;
  running: number | null;
  queued: number | null;
  flows: number | null;
  rest: string | null;
  in_conflict: number;
}

/** The agents with these ids, in their order. */
export function agentRows(database: ConsoleDatabase, ids: readonly string[], now: Date): ListedAgent[] {
  const rows = database
    .prepare(
      `SELECT a.agent_id, a.slug AS tenant, a.thumbprint, a.hostname, coalesce(s.os, a.os) AS os, coalesce(s.arch, a.arch) AS arch,
         coalesce(s.agent_version, a.agent_version) AS agent_version, a.enrolled_at, a.last_seen_at, a.key_since,
         a.rotation_asked_at, a.revoked_at, a.revoked_by, a.revoked_why, ${STATE} AS state, s.state AS noted_state, s.state_since,
         s.connected, s.connected_since, s.health, s.desired_revision, s.applied_revision, s.last_sync_at, s.running, s.queued,
         s.flows, d.rest, EXISTS (SELECT 1 FROM identity_conflicts c WHERE c.agent_id = a.agent_id AND c.last_at > :recently)
           AS in_conflict
       FROM ${AGENTS_WITH_SUMMARIES} LEFT JOIN agent_details d ON d.agent_id = a.agent_id
       WHERE a.agent_id IN (SELECT value FROM json_each(:ids))`,
    )
    .all({
      ids: JSON.stringify(ids),
      recently: new Date(now.getTime() - CONFLICT_LASTS_MS).toISOString(),
      ...silentParameter(now),
    }) as unknown as Row[];
  const found = new Map(rows.map((row) => [row.agent_id, row]));
  return ids.flatMap((id) => {
    const row = found.get(id);
    return row === undefined ? [] : [asListed(row)];
  });
}

function asListed(row: Row): ListedAgent {
  const {
    noted_state: _noted,
    state_since: _since,
    connected,
    connected_since: since,
    running,
    queued,
    rest,
    in_conflict,
    ...agent
  } = row;
  const said = rest === null ? null : (JSON.parse(rest) as SummaryRest);
  return {
    ...agent,
    labels: said?.labels ?? {},
    state_since: stateSince(row),
    tunnel: { connected: connected === 1, since: since ?? null },
    // Of a suspended or silent agent too: it is what was wrong when it last spoke.
    problem: row.state === 'revoked' ? null : (said?.problem ?? null),
    commit: said?.commit ?? null,
    suspended: said?.suspended ?? null,
    runs: running === null || queued === null ? null : { running, queued },
    flows: agent.flows ?? 0,
    held: row.state === 'revoked' ? [] : [...(said?.held ?? [])],
    identity_conflict: in_conflict === 1,
  };
}

/** What has been noted, or what follows from the time when the note has not been made yet. */
function stateSince(row: Row): string | null {
  if (row.state === row.noted_state) return row.state_since;
  switch (row.state) {
    case 'revoked':
      return row.revoked_at;
    case 'waiting':
      return row.enrolled_at;
    case 'unreachable':
      return row.last_seen_at === null
        ? row.state_since
        : new Date(Date.parse(row.last_seen_at) + UNREACHABLE_AFTER_MS).toISOString();
    default:
      return row.last_seen_at;
  }
}
