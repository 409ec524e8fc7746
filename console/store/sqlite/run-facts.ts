import type { RunOutput } from '../../../schemas/run.ts';
import type { CommitInfo } from '../../../schemas/status.ts';
import type { RunEvent, RunFacts } from '../ports/run-facts.ts';
import type { ConsoleDatabase } from './database.ts';

/** Reads of bodies are by parts: a report may be of many megabytes. */
export function createRunFacts({ prepare }: ConsoleDatabase): RunFacts {
  return {
    async report(agentId, runId, limit) {
      const row = prepare(
        `SELECT received_at, attempt, json_extract(body, '$.truncated') AS truncated,
           (SELECT json_group_array(value) FROM (SELECT json(value) AS value FROM json_each(body, '$.outputs') LIMIT :limit)) AS outputs
         FROM runs WHERE run_id = :run AND agent_id = :agent ORDER BY id DESC LIMIT 1`,
      ).get({ run: runId, agent: agentId, limit }) as
        | { received_at: string; attempt: number; truncated: string; outputs: string }
        | undefined;
      if (row === undefined) return null;
      const { received_at, attempt } = row;
      return {
        received_at,
        attempt,
        truncated: JSON.parse(row.truncated) as { stdout: number; stderr: number },
        outputs: (JSON.parse(row.outputs) as unknown[]).map(
          (output) => (typeof output === 'string' ? JSON.parse(output) : output) as RunOutput,
        ),
      };
    },
    async tail(agentId, runId, characters) {
      const row = prepare(
        `SELECT substr(json_extract(body, '$.stdout'), :from) AS stdout, substr(json_extract(body, '$.stderr'), :from) AS stderr
         FROM runs WHERE run_id = :run AND agent_id = :agent ORDER BY id DESC LIMIT 1`,
      ).get({ run: runId, agent: agentId, from: -characters });
      return (row as unknown as { stdout: string; stderr: string } | undefined) ?? null;
    },
    async commit(tenant, revision) {
      const row = prepare(
        `SELECT commit_subject AS subject, commit_author AS author, commit_time AS time FROM releases
         WHERE slug = ? AND revision = ? AND commit_time IS NOT NULL`,
      ).get(tenant, revision);
      return (row as unknown as CommitInfo | undefined) ?? null;
    },
    async events(agentId, runId, limit) {
      const rows = prepare(
        `SELECT time, reason, json_extract(line, '$.message') AS message, json_extract(line, '$.because') AS because
         FROM events WHERE run_id = ? AND agent_id = ? ORDER BY id LIMIT ?`,
      ).all(runId, agentId, limit);
      return rows as unknown as RunEvent[];
    },
  };
}
