import type { AgentFilter } from '../../../../schemas/console/agent.ts';
import type { AgentSelection } from '../../ports/fleet.ts';
import { inScope, scopeParameter, silentParameter, wordsOf } from './standing-columns.ts';

type Parameters = Record<string, string | number | null>;

export interface AgentCondition {
  /** Over `AGENTS_WITH_SUMMARIES`; all but the state, which is asked of what comes out. */
  readonly where: string;
  readonly parameters: Parameters;
}

/** Where an agent that has never reported has nothing yet, what its enrolment said counts. */
const TEXT = `coalesce((SELECT d.name_text || ' ' || d.status_text FROM agent_details d WHERE d.agent_id = a.agent_id),
  lower(a.hostname || ' ' || a.agent_id))`;
const DIGITS = /^[0-9a-f]{7,64}$/;

/** The filter but for its states, as a condition. Values go in as parameters, never into the text. */
export function agentCondition({ scope, filter, now }: AgentSelection): AgentCondition {
  const all: string[] = [inScope('a.slug')];
  const parameters: Parameters = { ...scopeParameter(scope), ...silentParameter(now) };
  const add = (condition: string, values: Parameters) => {
    all.push(condition);
    Object.assign(parameters, values);
  };
  if (filter.tenant !== undefined) add('a.slug = :tenant', { tenant: filter.tenant });
  for (const [at, word] of wordsOf(filter.q).entries()) {
    add(`instr(${TEXT}, :word${at}) > 0`, { [`word${at}`]: word });
  }
  if (filter.tunnel !== undefined) {
    add('coalesce(s.connected, 0) = :connected', { connected: Number(filter.tunnel === 'connected') });
  }
  if (filter.health !== undefined) add('s.health = :health', { health: filter.health });
  if (filter.os !== undefined) add('coalesce(s.os, a.os) = :os', { os: filter.os });
  if (filter.agent_version !== undefined) {
    add('coalesce(s.agent_version, a.agent_version) = :agentVersion', { agentVersion: filter.agent_version });
  }
  for (const [at, label] of (filter.label ?? []).entries()) {
    const colon = label.indexOf(':');
    add(
      `EXISTS (SELECT 1 FROM agent_details d, json_each(d.rest, '$.labels') label
        WHERE d.agent_id = a.agent_id AND label.key = :label${at} AND label.value = :labelValue${at})`,
      { [`label${at}`]: label.slice(0, colon), [`labelValue${at}`]: label.slice(colon + 1) },
    );
  }
  addFlow(filter, add);
  if (filter.revision !== undefined) addRevision(filter.revision, add);
  return { where: all.join(' AND '), parameters };
}

function addFlow(filter: AgentFilter, add: (condition: string, values: Parameters) => void): void {
  const { flow, version, held } = filter;
  if (flow === undefined && version === undefined) return addHeld(held, add);
  const wanted = [
    'f.agent_id = a.agent_id',
    ...(flow === undefined ? [] : ['f.flow = :flow']),
    ...(version === undefined ? [] : ['f.active_version = :version']),
    ...(held === undefined ? [] : [`f.is_held = ${Number(held === 'yes')}`]),
  ].join(' AND ');
  add(`EXISTS (SELECT 1 FROM agent_flows f WHERE ${wanted})`, {
    ...(flow === undefined ? {} : { flow }),
    ...(version === undefined ? {} : { version }),
  });
}

/** Who is revoked follows no branch, and stays off none. */
function addHeld(held: AgentFilter['held'], add: (condition: string, values: Parameters) => void): void {
  if (held === undefined) return;
  const holds = 's.held > 0 AND a.revoked_at IS NULL';
  add(held === 'yes' ? holds : `coalesce(${holds}, 0) = 0`, {});
}

function addRevision(revision: string, add: (condition: string, values: Parameters) => void): void {
  if (DIGITS.test(revision)) {
    add("substr(s.applied_revision, instr(s.applied_revision, ':') + 1, length(:revision)) = :revision", {
      revision,
    });
  } else add('s.applied_revision = :revision', { revision });
}
