import type { BuilderFlow } from '../../../schemas/console/action.ts';
import type { FlowHost, FlowPlaces, PlacedFlow } from '../ports/flow-places.ts';
import type { ConsoleDatabase } from './database.ts';
import {
  AGENTS_WITH_SUMMARIES,
  inScope,
  STATE,
  scopeParameter,
  silentParameter,
} from './fleet/standing-columns.ts';

/** More agents than these are looked at together: whole statuses are read, for the version before the active one. */
const AT_ONCE = 500;

export function createFlowPlaces({ prepare }: ConsoleDatabase): FlowPlaces {
  return {
    async of(agentIds, flow) {
      const found = new Map<string, PlacedFlow>();
      for (let from = 0; from < agentIds.length; from += AT_ONCE) {
        if (from > 0) await new Promise((wake) => setImmediate(wake));
        const rows = prepare(
          `SELECT statuses.agent_id, each.value ->> '$.active_version' AS active_version,
             each.value ->> '$.previous_version' AS previous_version,
             (SELECT there.value ->> '$.sha256' FROM json_each(statuses.body, '$.versions') AS there
              WHERE there.value ->> '$.flow' = :flow
                AND there.value ->> '$.version' = each.value ->> '$.previous_version') AS previous_sha256,
             each.value ->> '$.desired_version' AS desired_version,
             each.value ->> '$.quarantined.sha256' AS quarantined_sha256,
             each.value ->> '$.quarantined.reason' AS quarantined
           FROM json_each(:agents) AS asked JOIN statuses ON statuses.agent_id = asked.value,
             json_each(statuses.body, '$.flows') AS each
           WHERE each.value ->> '$.id' = :flow`,
        ).all({
          agents: JSON.stringify(agentIds.slice(from, from + AT_ONCE)),
          flow,
        }) as unknown as PlacedFlow[];
        for (const row of rows) found.set(row.agent_id, row);
      }
      return found;
    },
    async hosts(scope, flow, now, { limit, agentId = null, version = null }) {
      const rows = prepare(
        `SELECT a.agent_id, a.slug AS tenant, f.active_version, f.health, ${STATE} AS state,
           max((SELECT count(*) FROM run_index r WHERE r.agent_id = a.agent_id AND r.state IN ('asked', 'queued', 'running')),
             coalesce(s.running, 0) + coalesce(s.queued, 0)) AS load
         FROM agent_flows f JOIN (${AGENTS_WITH_SUMMARIES}) ON a.agent_id = f.agent_id
         WHERE f.flow = :flow AND f.active_version IS NOT NULL AND a.revoked_at IS NULL AND ${inScope('a.slug')}
           AND (:agent IS NULL OR a.agent_id = :agent) AND (:version IS NULL OR f.active_version = :version)
         ORDER BY load, a.agent_id LIMIT :limit`,
      ).all({ ...scopeParameter(scope), ...silentParameter(now), flow, limit, agent: agentId, version });
      return rows as unknown as FlowHost[];
    },
    async list(scope, limit) {
      const rows = prepare(
        `SELECT flow AS id, tenant, runtime, version, sum(agents) AS agents, sum(connected) AS connected, max(agents) AS most FROM (
           SELECT f.flow, f.slug AS tenant, f.runtime, f.active_version AS version, count(*) AS agents,
             coalesce(sum(s.connected), 0) AS connected
           FROM agent_flows f JOIN (${AGENTS_WITH_SUMMARIES}) ON a.agent_id = f.agent_id
           WHERE a.revoked_at IS NULL AND f.active_version IS NOT NULL AND ${inScope('f.slug')}
           GROUP BY f.slug, f.flow, f.active_version)
         GROUP BY tenant, id ORDER BY tenant, id LIMIT :limit`,
      ).all({ ...scopeParameter(scope), limit }) as unknown as (BuilderFlow & { most: number })[];
      return rows.map(({ most: _most, ...flow }) => flow);
    },
  };
}
