import { chmodSync, closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makePrivateDirectory } from './directories.ts';

/** How long a statement waits for another process (a command beside the daemon) to finish its transaction. */
const BUSY_TIMEOUT_MS = 5_000;

/**
 * One entry a schema version, never edited once released: `user_version` n means the first n have been applied.
 * Times are milliseconds since 1970, so that they compare as numbers whatever offset they were written with.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE documents (
     key   TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE runs (
     id          INTEGER PRIMARY KEY AUTOINCREMENT,
     run_id      TEXT NOT NULL UNIQUE,
     flow        TEXT NOT NULL,
     state       TEXT NOT NULL,
     finished_ms INTEGER,
     record      TEXT NOT NULL
   ) STRICT;
   CREATE INDEX runs_by_flow ON runs (flow, id);
   CREATE INDEX runs_by_state ON runs (state, id);
   CREATE INDEX runs_by_end ON runs (finished_ms) WHERE finished_ms IS NOT NULL;

   CREATE TABLE reports (
     id         INTEGER PRIMARY KEY AUTOINCREMENT,
     kind       TEXT NOT NULL,
     key        TEXT NOT NULL,
     body       TEXT NOT NULL,
     created_ms INTEGER NOT NULL,
     attempts   INTEGER NOT NULL DEFAULT 0,
     next_ms    INTEGER NOT NULL,
     last_error TEXT,
     parked     TEXT,
     UNIQUE (kind, key)
   ) STRICT;
   CREATE INDEX reports_due ON reports (kind, next_ms, id) WHERE parked IS NULL;`,

  `CREATE TABLE commands (
     id          INTEGER PRIMARY KEY AUTOINCREMENT,
     command_id  TEXT NOT NULL UNIQUE,
     command     TEXT NOT NULL,
     via         TEXT NOT NULL,
     received_ms INTEGER NOT NULL,
     expires_ms  INTEGER NOT NULL,
     done_ms     INTEGER,
     outcome     TEXT
   ) STRICT;
   CREATE INDEX commands_pending ON commands (id) WHERE done_ms IS NULL;
   CREATE INDEX commands_expired ON commands (expires_ms) WHERE done_ms IS NOT NULL;`,
  // What is asked of thousands of waiting reports is answered without reading their bodies, which lie before the other columns.
  `CREATE INDEX reports_in_order ON reports (kind, id, next_ms, created_ms) WHERE parked IS NULL;
   CREATE INDEX reports_parked ON reports (kind, id) WHERE parked IS NOT NULL;`,
  // What an agent.yaml that names another tenant must neither do nor send (other-tenants.ts): a column more, and no other difference.
  `CREATE TABLE runs_of_others (
     tenant      TEXT NOT NULL,
     id          INTEGER PRIMARY KEY,
     run_id      TEXT NOT NULL,
     flow        TEXT NOT NULL,
     state       TEXT NOT NULL,
     finished_ms INTEGER,
     record      TEXT NOT NULL
   ) STRICT;
   CREATE TABLE reports_of_others (
     tenant     TEXT NOT NULL,
     id         INTEGER PRIMARY KEY,
     kind       TEXT NOT NULL,
     key        TEXT NOT NULL,
     body       TEXT NOT NULL,
     created_ms INTEGER NOT NULL,
     attempts   INTEGER NOT NULL,
     next_ms    INTEGER NOT NULL,
     last_error TEXT,
     parked     TEXT
   ) STRICT;
   CREATE TABLE commands_of_others (
     tenant      TEXT NOT NULL,
     id          INTEGER PRIMARY KEY,
     command_id  TEXT NOT NULL,
     command     TEXT NOT NULL,
     via         TEXT NOT NULL,
     received_ms INTEGER NOT NULL,
     expires_ms  INTEGER NOT NULL,
     done_ms     INTEGER,
     outcome     TEXT
   ) STRICT;`,
];

export type DatabaseErrorCode = 'schema_newer' | 'not_a_database' | 'unusable';

/** The state database cannot be used as it is; the message says what a person can do. */
export class DatabaseError extends Error {
  readonly code: DatabaseErrorCode;

  constructor(code: DatabaseErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'DatabaseError';
    this.code = code;
  }
}

export interface Database {
  readonly sqlite: DatabaseSync;
  /**
   * All or nothing, and durable when the outermost call returns. A nested call is part of the outer one: undone with it,
   * and undone alone when it throws and the outer one goes on. The work must be synchronous.
   */
  readonly transaction: <T>(work: () => T) => T;
  /**
   * Done once the outermost transaction under way is on disk, in the order of the calls; at once when there is none; never
   * when what it was said in is undone. For what is not in the database and must not run ahead of it: memory, events, processes.
   */
  readonly afterCommit: (work: () => void) => void;
  close(): void;
}

/** SQLite's name for a database without a file: for looking at an agent that has no state yet. */
export const IN_MEMORY = ':memory:';

/**
 * Opens `agent.db`, making it (0600, its directory 0700) and bringing its schema up when needed: WAL, synchronous FULL, so
 * that what a transaction wrote survives a power cut. Throws `DatabaseError` for a file that is none of ours or of a newer agent.
 */
export function openDatabase(path: string): Database {
  let sqlite: DatabaseSync;
  try {
    if (path !== IN_MEMORY) {
      makePrivateDirectory(dirname(path));
      createPrivate(path);
    }
    sqlite = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  } catch (error) {
    throw new DatabaseError(
      'unusable',
      `expected to open the state database ${path}, found: ${messageOf(error)}; check the folder's owner, rights and free space`,
      { cause: error },
    );
  }
  try {
    sqlite.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    migrate(sqlite, path);
  } catch (error) {
    sqlite.close();
    throw toDatabaseError(error, path);
  }
  return { sqlite, ...createTransactions(sqlite), close: () => sqlite.close() };
}

/** `wx`, because opening and closing a database that SQLite has open already would drop its POSIX locks. */
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    chmodSync(path, 0o600);
  }
}

function migrate(sqlite: DatabaseSync, path: string): void {
  const newest = MIGRATIONS.length;
  if (userVersion(sqlite) === newest) return;
  // Immediate, and looked at again inside: two processes may start at once.
  sqlite.exec('BEGIN IMMEDIATE');
  try {
    const found = userVersion(sqlite);
    if (found > newest) {
      throw new DatabaseError(
        'schema_newer',
        `expected schema ${newest} or older in ${path}, found ${found}: a newer edge-agent wrote it; update this one`,
      );
    }
    for (const statements of MIGRATIONS.slice(found)) sqlite.exec(statements);
    sqlite.exec(`PRAGMA user_version = ${newest}`);
    sqlite.exec('COMMIT');
  } catch (error) {
    if (sqlite.isTransaction) sqlite.exec('ROLLBACK');
    throw error;
  }
}

function userVersion(sqlite: DatabaseSync): number {
  return Number(sqlite.prepare('PRAGMA user_version').get()?.['user_version']);
}

function createTransactions(sqlite: DatabaseSync): Pick<Database, 'transaction' | 'afterCommit'> {
  let depth = 0;
  let after: (() => void)[] = [];

  function transaction<T>(work: () => T): T {
    const before = after.length;
    const [begin, commit, undo] =
      depth === 0
        ? ['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK']
        : [`SAVEPOINT s${depth}`, `RELEASE s${depth}`, `ROLLBACK TO s${depth}; RELEASE s${depth}`];
    sqlite.exec(begin);
    depth += 1;
    let result: T;
    try {
      result = work();
      if (result instanceof Promise)
        throw new TypeError('a transaction must be synchronous: it got a promise');
      sqlite.exec(commit);
    } catch (error) {
      after.length = before;
      // A full disk makes SQLite undo the whole transaction by itself.
      if (sqlite.isTransaction) sqlite.exec(undo);
      throw error;
    } finally {
      depth -= 1;
    }
    if (depth === 0) finish();
    return result;
  }

  /** What was committed stays committed: one that throws keeps none of the others back. */
  function finish(): void {
    const due = after;
    after = [];
    const errors: unknown[] = [];
    for (const work of due) {
      try {
        work();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  return {
    transaction,
    afterCommit(work) {
      if (depth === 0) work();
      else after.push(work);
    },
  };
}

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

function toDatabaseError(error: unknown, path: string): Error {
  if (error instanceof DatabaseError) return error;
  const code = (error as { errcode?: number }).errcode ?? 0;
  if ([SQLITE_NOTADB, SQLITE_CORRUPT].includes(code & 0xff)) {
    return new DatabaseError(
      'not_a_database',
      `expected a SQLite database in ${path}, found: ${messageOf(error)}; restore it, or move it away: the agent then starts with an empty state`,
      { cause: error },
    );
  }
  return new DatabaseError(
    'unusable',
    `expected to open the state database ${path}, found: ${messageOf(error)}`,
    {
      cause: error,
    },
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
