/** Each entry takes the schema from version n to n+1 (`PRAGMA user_version`). Entries are never edited, only added. */
export const MIGRATIONS: readonly string[] = [
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
  // Who may use the console: keys with roles, people, their invitations and sessions; in the audit, who and why.
  `
  ALTER TABLE api_keys RENAME TO api_keys_before;
  CREATE TABLE api_keys (
    key_id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    created_by TEXT,
    created_at TEXT NOT NULL,
    last_used_at TEXT,
    expires_at TEXT,
    revoked_at TEXT
  ) STRICT;
  CREATE TABLE api_key_grants (
    key_id TEXT NOT NULL REFERENCES api_keys ON DELETE CASCADE,
    tenant TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (key_id, tenant)
  ) WITHOUT ROWID, STRICT;
  INSERT INTO api_keys (key_id, hash, label, created_at)
    SELECT lower(hex(randomblob(16))), hash, label, created_at FROM api_keys_before;
  -- Until now a key could do everything; having no grant is to mean that one can do nothing.
  INSERT INTO api_key_grants (key_id, tenant, role) SELECT key_id, '*', 'admin' FROM api_keys;
  DROP TABLE api_keys_before;
  CREATE TABLE people (
    person_id TEXT PRIMARY KEY,
    login TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    locale TEXT,
    password TEXT,
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_sign_in_at TEXT
  ) STRICT;
  CREATE TABLE person_grants (
    person_id TEXT NOT NULL REFERENCES people ON DELETE CASCADE,
    tenant TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (person_id, tenant)
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE invitations (
    person_id TEXT PRIMARY KEY REFERENCES people ON DELETE CASCADE,
    code_hash TEXT NOT NULL UNIQUE,
    expires_at TEXT NOT NULL
  ) STRICT;
  CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    used_at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX sessions_by_person ON sessions (person_id);
  ALTER TABLE audit ADD COLUMN actor_id TEXT;
  ALTER TABLE audit ADD COLUMN reason TEXT;
  CREATE INDEX audit_by_tenant ON audit (slug, id);
  `,
  // What is asked of agents: who asked, the trigger keys that owners gave, requests that may be repeated, and one list of all runs.
  `
  ALTER TABLE commands ADD COLUMN asked_by TEXT;
  ALTER TABLE commands ADD COLUMN why TEXT;
  CREATE TABLE trigger_keys (
    slug TEXT PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    kid TEXT NOT NULL,
    sealed TEXT NOT NULL,
    added_at TEXT NOT NULL,
    added_by TEXT NOT NULL
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE repeatable_requests (
    actor_id TEXT NOT NULL,
    key TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    answer TEXT,
    PRIMARY KEY (actor_id, key)
  ) WITHOUT ROWID, STRICT;
  CREATE INDEX repeatable_requests_by_age ON repeatable_requests (begun_at);
  CREATE TABLE run_index (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id TEXT NOT NULL REFERENCES agents ON DELETE CASCADE,
    slug TEXT NOT NULL,
    run_id TEXT NOT NULL,
    flow TEXT NOT NULL,
    version TEXT,
    state TEXT NOT NULL,
    trigger TEXT,
    attempt INTEGER NOT NULL,
    exit_code INTEGER,
    reason TEXT,
    sha256 TEXT,
    revision TEXT,
    asked_at TEXT,
    started_at TEXT,
    finished_at TEXT,
    received_at TEXT NOT NULL,
    UNIQUE (agent_id, run_id)
  ) STRICT;
  CREATE INDEX run_index_by_run ON run_index (run_id);
  CREATE INDEX run_index_by_agent ON run_index (agent_id, id);
  CREATE INDEX run_index_by_tenant ON run_index (slug, id);
  CREATE INDEX run_index_by_flow ON run_index (slug, flow, id);
  CREATE INDEX run_index_by_time ON run_index (received_at, slug);
  CREATE INDEX run_index_going_on ON run_index (agent_id, id) WHERE state IN ('asked', 'queued', 'running');
  -- Runs that were only asked for until now are listed as soon as they begin: which flow they are of is in the signed text alone.
  INSERT INTO run_index (agent_id, slug, run_id, flow, version, state, trigger, attempt, exit_code, reason, sha256, revision,
      started_at, finished_at, received_at)
    SELECT known.agent_id, agents.slug, known.run_id, coalesce(runs.flow, progress.flow), coalesce(runs.version, progress.version),
      coalesce(runs.status, CASE progress.state WHEN 'retried' THEN 'running' ELSE progress.state END),
      json_extract(runs.body, '$.trigger'), coalesce(runs.attempt, progress.attempt), coalesce(runs.exit_code, progress.exit_code),
      json_extract(runs.body, '$.reason'), json_extract(runs.body, '$.sha256'), json_extract(runs.body, '$.revision'),
      coalesce(runs.started_at, progress.started_at), coalesce(runs.finished_at, progress.finished_at),
      coalesce(runs.received_at, progress.updated_at)
    FROM (SELECT agent_id, run_id, min(at) AS at FROM (
        SELECT agent_id, run_id, received_at AS at FROM runs UNION ALL SELECT agent_id, run_id, updated_at FROM run_progress)
      GROUP BY agent_id, run_id) AS known
    JOIN agents ON agents.agent_id = known.agent_id
    LEFT JOIN runs ON runs.id =
      (SELECT max(id) FROM runs AS own WHERE own.run_id = known.run_id AND own.agent_id = known.agent_id)
    LEFT JOIN run_progress AS progress ON progress.agent_id = known.agent_id AND progress.run_id = known.run_id
      AND progress.attempt = (SELECT max(attempt) FROM run_progress AS own
        WHERE own.agent_id = known.agent_id AND own.run_id = known.run_id)
    ORDER BY known.at;
  UPDATE run_index SET trigger = 'command', asked_at =
      (SELECT min(created_at) FROM commands WHERE commands.agent_id = run_index.agent_id AND commands.run_id = run_index.run_id
        AND action = 'run')
    WHERE EXISTS (SELECT 1 FROM commands WHERE commands.agent_id = run_index.agent_id AND commands.run_id = run_index.run_id
        AND action = 'run');
  `,
  // The fleet's read side (docs/decisions/0092-read-model.md): what lists and counts are made of, written together with what it
  // is made from. Its rows are made by `console/store/sqlite/fleet`, also those of statuses that are there already.
  `
  CREATE TABLE agent_summaries (
    agent_id TEXT PRIMARY KEY REFERENCES agents ON DELETE CASCADE,
    made_by INTEGER NOT NULL,
    reported_at TEXT,
    stalled INTEGER NOT NULL DEFAULT 0,
    ready INTEGER NOT NULL DEFAULT 0,
    health TEXT,
    is_suspended INTEGER NOT NULL DEFAULT 0,
    connected INTEGER NOT NULL DEFAULT 0,
    connected_since TEXT,
    state TEXT NOT NULL,
    state_since TEXT,
    hostname TEXT NOT NULL,
    agent_version TEXT,
    os TEXT,
    arch TEXT,
    desired_revision TEXT,
    applied_revision TEXT,
    last_sync_at TEXT,
    running INTEGER,
    queued INTEGER,
    flows INTEGER NOT NULL DEFAULT 0,
    problem_reason TEXT,
    rest TEXT NOT NULL,
    flow_rows TEXT NOT NULL DEFAULT '[]',
    name_text TEXT NOT NULL,
    status_text TEXT NOT NULL DEFAULT ''
  ) STRICT;
  CREATE TABLE agent_flows (
    agent_id TEXT NOT NULL REFERENCES agents ON DELETE CASCADE,
    flow TEXT NOT NULL,
    slug TEXT NOT NULL,
    runtime TEXT,
    desired_version TEXT,
    active_version TEXT,
    health TEXT NOT NULL,
    PRIMARY KEY (agent_id, flow)
  ) WITHOUT ROWID, STRICT;
  CREATE INDEX agent_flows_by_flow ON agent_flows (slug, flow, active_version, desired_version, health, runtime);
  CREATE TABLE agent_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    slug TEXT NOT NULL,
    agent_id TEXT NOT NULL REFERENCES agents ON DELETE CASCADE,
    kind TEXT NOT NULL,
    from_value TEXT,
    to_value TEXT,
    flow TEXT,
    reason TEXT,
    message TEXT
  ) STRICT;
  CREATE INDEX agent_changes_by_agent ON agent_changes (agent_id, id);
  CREATE INDEX agent_changes_by_time ON agent_changes (at, slug, kind, from_value, to_value, flow, reason, id);
  CREATE INDEX agent_changes_to_revision ON agent_changes (to_value, agent_id, at) WHERE kind = 'revision';
  CREATE TABLE releases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    slug TEXT NOT NULL REFERENCES tenants ON DELETE CASCADE,
    revision TEXT NOT NULL,
    commit_subject TEXT,
    commit_author TEXT,
    commit_time TEXT,
    seq INTEGER,
    first_seen_at TEXT NOT NULL,
    newest_at TEXT NOT NULL,
    flows TEXT,
    UNIQUE (slug, revision)
  ) STRICT;
  CREATE INDEX releases_by_age ON releases (newest_at, id);
  CREATE INDEX releases_by_tenant ON releases (slug, newest_at, id);
  DROP INDEX run_index_by_time;
  CREATE INDEX run_index_by_time ON run_index (received_at, slug, flow, state);
  ALTER TABLE events ADD COLUMN tenant TEXT GENERATED ALWAYS AS (json_extract(line, '$.tenant')) VIRTUAL;
  ALTER TABLE events ADD COLUMN severity TEXT GENERATED ALWAYS AS (json_extract(line, '$.severity')) VIRTUAL;
  ALTER TABLE events ADD COLUMN reason TEXT GENERATED ALWAYS AS (json_extract(line, '$.reason')) VIRTUAL;
  ALTER TABLE events ADD COLUMN flow TEXT GENERATED ALWAYS AS (json_extract(line, '$.flow')) VIRTUAL;
  ALTER TABLE events ADD COLUMN run_id TEXT GENERATED ALWAYS AS (json_extract(line, '$.run_id')) VIRTUAL;
  ALTER TABLE events ADD COLUMN time TEXT GENERATED ALWAYS AS (strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(line, '$.time'))) VIRTUAL;
  CREATE INDEX events_by_tenant ON events (tenant, id);
  CREATE INDEX events_by_severity ON events (severity, id);
  CREATE INDEX events_by_reason ON events (reason, id);
  CREATE INDEX events_by_flow ON events (flow, id) WHERE flow IS NOT NULL;
  CREATE INDEX events_by_run ON events (run_id, id) WHERE run_id IS NOT NULL;
  CREATE INDEX events_by_time ON events (time, id);
  `,
  // Enrolment tokens: who made one, and whom it served, also when the answer to that is forgotten.
  `
  ALTER TABLE enrolment_tokens ADD COLUMN made_by TEXT;
  ALTER TABLE enrolment_tokens ADD COLUMN agent_id TEXT;
  CREATE INDEX enrolment_tokens_by_age ON enrolment_tokens (made_at, jti);
  `,
  // The read model in two tables, so that counts do not read texts; like changes counted as they are written. Made anew from the
  // statuses at the next start.
  `
  DROP TABLE agent_summaries;
  CREATE TABLE agent_summaries (
    agent_id TEXT PRIMARY KEY REFERENCES agents ON DELETE CASCADE,
    made_by INTEGER NOT NULL,
    reported_at TEXT,
    stalled INTEGER NOT NULL DEFAULT 0,
    ready INTEGER NOT NULL DEFAULT 0,
    health TEXT,
    is_suspended INTEGER NOT NULL DEFAULT 0,
    connected INTEGER NOT NULL DEFAULT 0,
    connected_since TEXT,
    state TEXT NOT NULL,
    state_since TEXT,
    hostname TEXT NOT NULL,
    agent_version TEXT,
    os TEXT,
    arch TEXT,
    desired_revision TEXT,
    applied_revision TEXT,
    last_sync_at TEXT,
    running INTEGER,
    queued INTEGER,
    flows INTEGER NOT NULL DEFAULT 0,
    problem_reason TEXT
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE agent_details (
    agent_id TEXT PRIMARY KEY REFERENCES agents ON DELETE CASCADE,
    rest TEXT NOT NULL,
    flow_rows TEXT NOT NULL DEFAULT '[]',
    name_text TEXT NOT NULL,
    status_text TEXT NOT NULL DEFAULT ''
  ) STRICT;
  DROP INDEX agent_changes_by_time;
  CREATE TABLE change_counts (
    minute TEXT NOT NULL,
    slug TEXT NOT NULL,
    change TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    agents TEXT NOT NULL,
    PRIMARY KEY (minute, slug, change)
  ) WITHOUT ROWID, STRICT;
  `,
  // Flows that a person holds back, so that they are counted: on how many flows of an agent, and which. Filled from the statuses at the
  // next start.
  `
  ALTER TABLE agent_summaries ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE agent_flows ADD COLUMN is_held INTEGER NOT NULL DEFAULT 0;
  DROP INDEX agent_flows_by_flow;
  CREATE INDEX agent_flows_by_flow ON agent_flows (slug, flow, active_version, desired_version, health, is_held, runtime);
  CREATE INDEX agent_flows_held ON agent_flows (slug, flow) WHERE is_held = 1;
  `,
  // Commands: what they are about, and what the agent's events say came of them.
  `
  ALTER TABLE commands ADD COLUMN flow TEXT;
  ALTER TABLE commands ADD COLUMN version TEXT;
  ALTER TABLE commands ADD COLUMN outcome TEXT;
  ALTER TABLE commands ADD COLUMN outcome_at TEXT;
  ALTER TABLE commands ADD COLUMN outcome_message TEXT;
  CREATE INDEX commands_by_run ON commands (agent_id, run_id, id) WHERE run_id IS NOT NULL;
  UPDATE commands SET flow = (SELECT run_index.flow FROM run_index
    WHERE run_index.agent_id = commands.agent_id AND run_index.run_id = commands.run_id) WHERE run_id IS NOT NULL;
  `,
  // How many answers of one caller are kept for their Idempotency-Keys, counted without reading them.
  `
  CREATE INDEX repeatable_requests_answered ON repeatable_requests (actor_id) WHERE answer IS NOT NULL;
  `,
];
