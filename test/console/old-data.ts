import { DatabaseSync } from 'node:sqlite';
import { MIGRATIONS } from '../../console/store/sqlite/migrations.ts';

const AGENT = '0199f3a2-7c41-7e5b-9d1c-2f6a8b3c4d5e';
const LOG = '0199f3a2-7c41-7e5b-9d1c-2f6a8b3c4d5f';

/** Rows of every table that a version brought, written when that version was the newest. */
const ROWS: Readonly<Record<number, string>> = {
  1: `
    INSERT INTO settings VALUES ('public_url', 'https://console.example');
    INSERT INTO api_keys VALUES ('key-hash', 'operator', '2026-11-01T00:00:00.000Z');
    INSERT INTO tenants VALUES ('acme', 'root-sha', '{}', 'publisher-hash', '2026-11-01T00:00:00.000Z');
    INSERT INTO tenant_roots VALUES ('acme', 'root-sha', '{}');
    INSERT INTO agents (agent_id, slug, thumbprint, device_jwk, git_token_hash, hostname, os, arch, agent_version, enrolled_at)
      VALUES ('${AGENT}', 'acme', 'thumb', '{}', 'git-hash', 'pc-1', 'linux', 'x64', '0.1.0', '2026-11-01T00:00:00.000Z');
    INSERT INTO enrolments VALUES ('jti-1', '${AGENT}', 'thumb', '{}', 1793000000);
    INSERT INTO request_ids VALUES ('${AGENT}', 'jti-2', 1793000000);
    INSERT INTO statuses VALUES ('${AGENT}', '{}', '2026-11-01T00:00:00.000Z');
    INSERT INTO runs (agent_id, idempotency_key, run_id, attempt, flow, version, status, exit_code, started_at, finished_at,
      received_at, body_sha256, body_bytes, body) VALUES ('${AGENT}', 'run-1.1', 'run-1', 1, 'invoice-bot', 'v1', 'failed', 3,
      '2026-11-01T00:00:00.000Z', '2026-11-01T00:00:01.000Z', '2026-11-01T00:00:02.000Z', 'sha', 2, '{"trigger":"local"}');
    INSERT INTO event_logs (agent_id, log_id, next_seq, last_hash, updated_at)
      VALUES ('${AGENT}', '${LOG}', 2, 'hash', '2026-11-01T00:00:00.000Z');
    INSERT INTO events (agent_id, log_id, seq, line, received_at) VALUES ('${AGENT}', '${LOG}', 1,
      '{"tenant":"acme","severity":"info","reason":"AgentStarted","time":"2026-11-01T00:00:00Z"}', '2026-11-01T00:00:00.000Z');`,
  2: `
    INSERT INTO commands (agent_id, command_id, action, run_id, jws, state, created_at, expires_at) VALUES ('${AGENT}', 'command-1',
      'run', 'run-2', 'a.b.c', 'queued', '2026-11-01T00:00:00.000Z', '2026-11-01T01:00:00.000Z');
    INSERT INTO run_progress (agent_id, run_id, attempt, flow, state, updated_at)
      VALUES ('${AGENT}', 'run-2', 1, 'invoice-bot', 'running', '2026-11-01T00:00:00.000Z');
    INSERT INTO run_logs VALUES ('${AGENT}', 'run-2', 1, 'stdout', 10, '2026-11-01T00:00:00.000Z');
    INSERT INTO tenant_hooks VALUES ('acme', 2, '2026-11-01T00:00:00.000Z');`,
  3: `
    INSERT INTO uploads (upload_id, agent_id, slug, name, size, sha256, kind, created_at)
      VALUES ('upload-1', '${AGENT}', 'acme', 'a.txt', 1, 'sha', 'document', '2026-11-01T00:00:00.000Z');`,
  5: `
    INSERT INTO former_keys (thumbprint, agent_id, device_jwk, replaced_at) VALUES ('old', '${AGENT}', '{}', '2026-11-01T00:00:00.000Z');
    INSERT INTO agent_processes VALUES ('${AGENT}', 'boot', NULL, 'pc-1', 'linux', '10.0.0.1', '2026-11-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z');
    INSERT INTO identity_conflicts VALUES ('${AGENT}', '2026-11-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z', 1, '[]');
    INSERT INTO enrolment_tokens VALUES ('jti-1', 'acme', '2026-11-01T00:00:00.000Z', 1793000000, NULL);
    INSERT INTO audit (at, slug, agent_id, action, by_whom, message)
      VALUES ('2026-11-01T00:00:00.000Z', 'acme', '${AGENT}', 'token_made', 'operator', 'a token was made');`,
  6: `
    INSERT INTO people (person_id, login, name, password, created_by, created_at)
      VALUES ('ann', 'ann@acme.example', 'Ann', 'hash', 'operator', '2026-11-01T00:00:00.000Z');
    INSERT INTO person_grants VALUES ('ann', 'acme', 'admin');
    INSERT INTO invitations VALUES ('ann', 'code-hash', '2026-11-02T00:00:00.000Z');
    INSERT INTO sessions VALUES ('token-hash', 'ann', '2026-11-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z');`,
  7: `
    INSERT INTO trigger_keys VALUES ('acme', 'kid', 'sealed', '2026-11-01T00:00:00.000Z', 'person:ann@acme.example');
    INSERT INTO repeatable_requests VALUES ('ann', 'key', 'sha', '2026-11-01T00:00:00.000Z', '{}');`,
  // summaries of agents are made anew at the next start
  8: `
    INSERT INTO agent_changes (at, slug, agent_id, kind) VALUES ('2026-11-01T00:00:00.000Z', 'acme', '${AGENT}', 'enrolled');
    INSERT INTO releases (slug, revision, first_seen_at, newest_at)
      VALUES ('acme', 'tenant/acme@sha1:1', '2026-11-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z');`,
};

/** Makes a database as a console of that schema version had it, with rows in the tables. */
export function writeOldDatabase(path: string, version: number): void {
  const sql = new DatabaseSync(path);
  sql.exec('PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;');
  for (const [index, step] of MIGRATIONS.slice(0, version).entries()) {
    sql.exec(step);
    sql.exec(ROWS[index + 1] ?? '');
  }
  sql.exec(`PRAGMA user_version = ${version}`);
  sql.close();
}

/** How many rows each table has; those of SQLite itself aside. */
export function rowCounts(path: string): Record<string, number> {
  const sql = new DatabaseSync(path, { readOnly: true });
  try {
    const tables = sql
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all();
    return Object.fromEntries(
      tables.map(({ name }) => [
        String(name),
        Number(sql.prepare(`SELECT count(*) AS n FROM ${String(name)}`).get()?.['n']),
      ]),
    );
  } finally {
    sql.close();
  }
}
