import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { createGroupCommit, GROUP_COMMIT, type GroupCommitOptions } from './store/sqlite/group-commit.ts';
import { createStatements } from './store/sqlite/statements.ts';

/** Each entry takes the schema from version n to n+1 (`PRAGMA user_version`). Entries are never edited, only added. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
  CREATE TABLE api_keys (hash TEXT PRIMARY KEY, label TEXT NOT NULL, created_at TEXT NOT NULL) STRICT;
  CREATE TABLE tenants (
    slug TEXT PRIMARY KEY,
    root_sha256 TEXT NOT NULL,
    artifacts TEXT NOT NULL,
    publisher_hash TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
  ) STRICT;
  CREATE TABLE tenant_roots (
    slug TEXT NOT NULL REFERENCES tenants ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (slug, sha256)
  ) STRICT;
  CREATE TABLE agents (
    agent_id TEXT PRIMARY KEY,
    slug TEXT NOT NULL REFERENCES tenants ON DELETE CASCADE,
    thumbprint TEXT NOT NULL UNIQUE,
    device_jwk TEXT NOT NULL,
    git_token_hash TEXT NOT NULL UNIQUE,
    hostname TEXT NOT NULL,
    os TEXT NOT NULL,
    arch TEXT NOT NULL,
    agent_version TEXT NOT NULL,
    enrolled_at TEXT NOT NULL,
    last_seen_at TEXT,
    revoked_at TEXT
  ) STRICT;
  CREATE INDEX agents_by_tenant ON agents (slug);
  CREATE TABLE enrolments (
    jti TEXT PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agents ON DELETE CASCADE,
    thumbprint TEXT NOT NULL,
    answer TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE request_ids (
    caller TEXT NOT NULL, jti TEXT NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (caller, jti)
  ) WITHOUT ROWID, STRICT;
  CREATE INDEX request_ids_by_expiry ON request_ids (expires_at);
  CREATE TABLE statuses (
    agent_id TEXT PRIMARY KEY REFERENCES agents ON DELETE CASCADE,
    body TEXT NOT NULL,
    received_at TEXT NOT NULL
  ) STRICT;
  CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id TEXT NOT NULL REFERENCES agents ON DELETE CASCADE,
    idempotency_key TEXT NOT NULL,
    run_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    flow TEXT NOT NULL,
    version TEXT,
    status TEXT NOT NULL,
    exit_code INTEGER,
    started_at TEXT,
    finished_at TEXT NOT NULL,
    received_at TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    body_bytes INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (agent_id, idempotency_key)
  ) STRICT;
  CREATE INDEX runs_by_run ON runs (run_id);
  CREATE TABLE event_logs (
    agent_id TEXT NOT NULL REFERENCES agents ON DELETE CASCADE,
    log_id TEXT NOT NULL,
    next_seq INTEGER NOT NULL,
    last_hash TEXT NOT NULL,
    gap_seq INTEGER,
    gap_offers INTEGER NOT NULL DEFAULT 0,
    missing INTEGER NOT NULL DEFAULT 0,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (agent_id, log_id)
  ) STRICT;
  CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id TEXT NOT NULL,
    log_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    line TEXT NOT NULL,
    received_at TEXT NOT NULL,
    UNIQUE (agent_id, log_id, seq),
    FOREIGN KEY (agent_id, log_id) REFERENCES event_logs ON DELETE CASCADE
  ) STRICT;
  CREATE INDEX events_by_agent ON events (agent_id, id);
  `,
  `
  CREATE TABLE commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id TEXT NOT NULL REFERENCES agents ON DELETE CASCADE,
    command_id TEXT NOT NULL,
    action TEXT NOT NULL,
    run_id TEXT,
    jws TEXT NOT NULL,
    state TEXT NOT NULL,
    code TEXT,
    message TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    sent_at TEXT,
    settled_at TEXT,
    UNIQUE (agent_id, command_id)
  ) STRICT;
  CREATE INDEX commands_waiting ON commands (agent_id, id) WHERE state IN ('queued', 'sent');
  CREATE TABLE run_progress (
    agent_id TEXT NOT NULL REFERENCES agents ON DELETE CASCADE,
    run_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    flow TEXT NOT NULL,
    version TEXT,
    state TEXT NOT NULL,
    exit_code INTEGER,
    started_at TEXT,
    finished_at TEXT,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (agent_id, run_id, attempt)
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE run_logs (
    agent_id TEXT NOT NULL REFERENCES agents ON DELETE CASCADE,
    run_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    stream TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (agent_id, run_id, attempt, stream)
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE tenant_hooks (
    slug TEXT PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    created_at TEXT NOT NULL
  ) WITHOUT ROWID, STRICT;
  `,
  `
  CREATE TABLE uploads (
    upload_id TEXT PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agents ON DELETE CASCADE,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    kind TEXT NOT NULL,
    run_id TEXT,
    flow TEXT,
    purpose TEXT,
    created_at TEXT NOT NULL,
    completed_at TEXT
  ) STRICT;
  CREATE UNIQUE INDEX uploads_once ON uploads (agent_id, sha256, name, coalesce(run_id, ''));
  CREATE INDEX uploads_by_agent ON uploads (agent_id, created_at);
  `,
  `
  CREATE INDEX run_logs_by_age ON run_logs (updated_at);
  `,
  `
  ALTER TABLE agents ADD COLUMN key_since TEXT;
  ALTER TABLE agents ADD COLUMN rotation_asked_at TEXT;
  ALTER TABLE agents ADD COLUMN revoked_by TEXT;
  ALTER TABLE agents ADD COLUMN revoked_why TEXT;
  ALTER TABLE event_logs ADD COLUMN forked_at TEXT;
  CREATE TABLE former_keys (
    thumbprint TEXT PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agents ON DELETE CASCADE,
    device_jwk TEXT NOT NULL,
    replaced_at TEXT NOT NULL,
    grace_until TEXT,
    refused_uses INTEGER NOT NULL DEFAULT 0,
    last_refused_at TEXT,
    last_refused_from TEXT
  ) STRICT;
  CREATE INDEX former_keys_by_agent ON former_keys (agent_id, replaced_at);
  CREATE TABLE agent_processes (
    agent_id TEXT NOT NULL REFERENCES agents ON DELETE CASCADE,
    boot_id TEXT NOT NULL,
    machine TEXT,
    hostname TEXT,
    os TEXT,
    address TEXT NOT NULL,
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL,
    PRIMARY KEY (agent_id, boot_id)
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE identity_conflicts (
    agent_id TEXT PRIMARY KEY REFERENCES agents ON DELETE CASCADE,
    since TEXT NOT NULL,
    last_at TEXT NOT NULL,
    changes INTEGER NOT NULL,
    boots TEXT NOT NULL
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE enrolment_tokens (
    jti TEXT PRIMARY KEY,
    slug TEXT NOT NULL REFERENCES tenants ON DELETE CASCADE,
    made_at TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at TEXT
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    slug TEXT,
    agent_id TEXT,
    action TEXT NOT NULL,
    by_whom TEXT NOT NULL,
    message TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_by_agent ON audit (agent_id, id);
  `,
];

export interface ConsoleDatabase {
  readonly sql: DatabaseSync;
  /** A statement compiled once for its text. For `get`, `all` and `run`; not for `iterate`. */
  prepare(text: string): StatementSync;
  /**
   * All or nothing, together with others that arrive at the same time, on the disk when it resolves (`GroupCommit`). The way to
   * write; `work` may use `transaction` inside.
   */
  write<T>(work: () => T): Promise<T>;
  /**
   * All or nothing, at once: nothing else of this process comes between, and everything stands still until it is on the disk.
   * Inside of `write`, or of another one, it is a part of that.
   */
  transaction<T>(work: () => T): T;
  /** Writes what waits, first. */
  close(): void;
}

/**
 * Opens `console.db` and brings its schema up to date. WAL with synchronous FULL: an answer of 2xx means the report survives
 * a power cut, because the agent forgets it then. A database of a newer console is refused rather than misread.
 */
export function openDatabase(path: string, commit: Partial<GroupCommitOptions> = {}): ConsoleDatabase {
  const options = { ...GROUP_COMMIT, ...commit };
  // Made here, so that nobody else can read it however the umask is set.
  closeSync(openSync(path, 'a', 0o600));
  const sql = new DatabaseSync(path, { timeout: options.blockingMs });
  try {
    sql.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    const group = createGroupCommit(sql, options);
    const database: ConsoleDatabase = {
      sql,
      prepare: createStatements(sql),
      write: (work) => group.write(work),
      transaction: (work) =>
        sql.isTransaction
          ? allOrNothing(sql, work, NESTED)
          : allOrNothing(sql, work, { begin: 'BEGIN IMMEDIATE', commit: 'COMMIT', undo: 'ROLLBACK' }),
      close() {
        group.close();
        sql.close();
      },
    };
    database.transaction(() => migrate(sql, path));
    return database;
  } catch (error) {
    sql.close();
    throw error;
  }
}

const NESTED = {
  begin: 'SAVEPOINT part',
  commit: 'RELEASE part',
  undo: 'ROLLBACK TO part; RELEASE part',
};

function allOrNothing<T>(sql: DatabaseSync, work: () => T, words: typeof NESTED): T {
  sql.exec(words.begin);
  try {
    const result = work();
    sql.exec(words.commit);
    return result;
  } catch (error) {
    if (sql.isTransaction) sql.exec(words.undo);
    throw error;
  }
}

function migrate(sql: DatabaseSync, path: string): void {
  const { user_version: found } = sql.prepare('PRAGMA user_version').get() as { user_version: number };
  if (found > MIGRATIONS.length) {
    throw new Error(
      `expected ${path} to be of schema version ${MIGRATIONS.length} or older, found ${found}: ` +
        'it was written by a newer console; start that one, or use another data directory',
    );
  }
  for (const step of MIGRATIONS.slice(found)) sql.exec(step);
  sql.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
}
