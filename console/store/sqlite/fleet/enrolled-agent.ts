import type { ConsoleDatabase } from '../database.ts';
import { insertChange } from './changes.ts';

const NOTHING_SAID = JSON.stringify({ suspended: null, problem: null, commit: null, labels: {} });
const PLAIN = { from: null, to: null, flow: null, reason: null, message: null };

export interface KnownAgent {
  readonly agent_id: string;
  readonly slug: string;
  readonly hostname: string;
  readonly enrolled_at: string;
}

/** What a search finds of an agent beside its status. */
export function nameText(agentId: string, hostname: string): string {
  return `${hostname} ${agentId}`.toLowerCase();
}

/** For the works of the writers: the first entry of an agent's history, and the row of one that has not reported. Once. */
export function noteEnrolled(database: ConsoleDatabase, agent: KnownAgent): void {
  const { agent_id, slug: tenant, hostname, enrolled_at } = agent;
  const done = database
    .prepare(
      `INSERT INTO agent_summaries (agent_id, made_by, state, state_since, hostname) VALUES (?, 0, 'waiting', ?, ?)
       ON CONFLICT DO NOTHING`,
    )
    .run(agent_id, enrolled_at, hostname);
  if (done.changes === 0) return;
  database
    .prepare('INSERT INTO agent_details (agent_id, rest, name_text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
    .run(agent_id, NOTHING_SAID, nameText(agent_id, hostname));
  insertChange(database, { ...PLAIN, kind: 'enrolled', agent_id, tenant }, new Date(enrolled_at));
}
