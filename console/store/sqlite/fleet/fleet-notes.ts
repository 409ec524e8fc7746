import type { AgentState } from '../../../../schemas/console/agent.ts';
import { UNREACHABLE_AFTER_MS } from '../../../fleet/agent-state.ts';
import type { FleetNotes } from '../../ports/fleet.ts';
import type { ConsoleDatabase } from '../database.ts';
import { insertChange } from './changes.ts';
import { type KnownAgent, nameText, noteEnrolled } from './enrolled-agent.ts';
import { AGENTS_WITH_SUMMARIES, STATE, silentParameter } from './standing-columns.ts';

const SETTLED_AT_ONCE = 1_000;

interface Unsettled extends KnownAgent {
  last_seen_at: string | null;
  revoked_at: string | null;
  revoked_by: string | null;
  revoked_why: string | null;
  noted: AgentState | null;
  state: AgentState;
}

const PLAIN = { from: null, to: null, flow: null, reason: null, message: null };

export function createFleetNotes(database: ConsoleDatabase, now: () => Date): FleetNotes {
  const settleOne = (agent: Unsettled) => {
    const { agent_id, hostname } = agent;
    if (agent.noted === null) noteEnrolled(database, agent);
    const from = agent.noted ?? 'waiting';
    if (from !== agent.state) noteState(agent, from);
    database.prepare('UPDATE agent_summaries SET hostname = ? WHERE agent_id = ?').run(hostname, agent_id);
    database
      .prepare('UPDATE agent_details SET name_text = ? WHERE agent_id = ?')
      .run(nameText(agent_id, hostname), agent_id);
  };

  const noteState = (agent: Unsettled, from: AgentState) => {
    const { agent_id, slug: tenant, state } = agent;
    const of = { ...PLAIN, agent_id, tenant, from, to: state };
    const at = sinceOf(agent, now());
    if (state === 'revoked') {
      const { revoked_by: reason, revoked_why: message } = agent;
      insertChange(database, { ...of, kind: 'revoked', reason, message }, at);
      // It has no flows that count any more.
      database.prepare('DELETE FROM agent_flows WHERE agent_id = ?').run(agent_id);
    } else insertChange(database, { ...of, kind: 'state' }, at);
    database
      .prepare('UPDATE agent_summaries SET state = ?, state_since = ? WHERE agent_id = ?')
      .run(state, at.toISOString(), agent_id);
  };

  return {
    presence: (agentId, since) =>
      database.write(() => {
        const agent = database
          .prepare('SELECT agent_id, slug, hostname, enrolled_at FROM agents WHERE agent_id = ?')
          .get(agentId) as KnownAgent | undefined;
        if (agent === undefined) return;
        noteEnrolled(database, agent);
        const done = database
          .prepare(
            'UPDATE agent_summaries SET connected = ?, connected_since = ? WHERE agent_id = ? AND (connected = 1 OR ?)',
          )
          .run(Number(since !== null), since?.toISOString() ?? null, agentId, Number(since !== null));
        if (done.changes === 0) return;
        const kind = since === null ? 'disconnected' : 'connected';
        const { slug: tenant } = agent;
        insertChange(database, { ...PLAIN, kind, agent_id: agentId, tenant }, since ?? now());
      }),
    nobodyConnected: () =>
      database.write(() => {
        database
          .prepare('UPDATE agent_summaries SET connected = 0, connected_since = NULL WHERE connected = 1')
          .run();
      }),
    async settle(at) {
      const find = database.prepare(
        `SELECT a.agent_id, a.slug, a.hostname, a.enrolled_at, a.last_seen_at, a.revoked_at, a.revoked_by, a.revoked_why,
           s.state AS noted, ${STATE} AS state
         FROM ${AGENTS_WITH_SUMMARIES}
         WHERE s.agent_id IS NULL OR s.hostname <> a.hostname OR s.state <> ${STATE} LIMIT ${SETTLED_AT_ONCE}`,
      );
      const parameters = silentParameter(at);
      // Mostly there is nothing to write: then nothing is.
      if (find.get(parameters) === undefined) return [];
      return database.write(() => {
        const found = find.all(parameters) as unknown as Unsettled[];
        for (const agent of found) settleOne(agent);
        return found.map(({ agent_id, slug: tenant }) => ({ agent_id, tenant }));
      });
    },
  };
}

/** When it came to be so, where that is known; else when it was noticed. */
function sinceOf({ state, last_seen_at, revoked_at }: Unsettled, noticed: Date): Date {
  if (state === 'revoked' && revoked_at !== null) return new Date(revoked_at);
  if (state === 'unreachable' && last_seen_at !== null) {
    return new Date(Date.parse(last_seen_at) + UNREACHABLE_AFTER_MS);
  }
  return noticed;
}
