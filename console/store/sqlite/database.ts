import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { AuditEntry } from '../ports/audit.ts';
import type { Upgrade } from '../ports/upgrade.ts';
import { damageNamed } from './damage.ts';
import { createGroupCommit, GROUP_COMMIT, type GroupCommitOptions } from './group-commit.ts';
import { migrate } from './migrate.ts';
import { MIGRATIONS } from './migrations.ts';
import { createStatements } from './statements.ts';

/**
 * Pages kept in memory, taken as they are needed. What is counted and searched of 10,000 agents fits (some 20 MiB): with SQLite's
 * own 2 MiB every count reads 2,700 pages from the file again, and every search 4,400.
 */
const CACHE_KIB = 32 * 1_024;
/**
 * The log is written back (two flushes more, in which nothing is answered) each 16 MiB: five hundred reports instead of a hundred,
 * and pages that they share are written once.
 */
const CHECKPOINT_PAGES = 4_000;

export interface ConsoleDatabase {
  readonly sql: DatabaseSync;
  /** What opening it changed; null for a new one, and for one of this version. */
  readonly migrated: Upgrade | null;
  /** A statement compiled once for its text. For `get`, `all` and `run`; not for `iterate`. */
  prepare(text: string): StatementSync;
  /**
   * All or nothing, together with others that arrive at the same time, on the disk when it resolves (`GroupCommit`). The way to
   * write; `work` may use `transaction` inside.
   */
  write<T>(work: () => T): Promise<T>;
  /** Inside of `write`: is done when that is on the disk, and not at all when it was taken back. */
  afterwards(done: () => void): void;
  /** Whoever hears of the rows of the audit. */
  readonly auditHears: Set<(entry: AuditEntry) => void>;
  /**
   * All or nothing, at once: nothing else of this process comes between, and everything stands still until it is on the disk.
   * Inside of `write`, or of another one, it is a part of that.
   */
  transaction<T>(work: () => T): T;
  /** Whether another connection has committed something since this was asked last; true the first time. */
  changedElsewhere(): boolean;
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
    sql.exec(`PRAGMA cache_size = -${CACHE_KIB}; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};`);
    const migrated = migrate(sql, path, MIGRATIONS);
    const group = createGroupCommit(sql, options);
    const dataVersion = sql.prepare('PRAGMA data_version');
    let seen: number | null = null;
    let due: (() => void)[] | null = null;
    const database: ConsoleDatabase = {
      sql,
      migrated,
      prepare: createStatements(sql, (fault) => damageNamed(fault, path)),
      async write(work) {
        let written: (() => void)[] = [];
        const result = await group
          .write(() => {
            due = written = [];
            try {
              return work();
            } finally {
              due = null;
            }
          })
          .catch((fault: unknown) => {
            throw damageNamed(fault, path);
          });
        for (const done of written) done();
        return result;
      },
      afterwards(done) {
        if (due === null) throw new Error('expected to be inside of write');
        due.push(done);
      },
      auditHears: new Set(),
      transaction: (work) =>
        sql.isTransaction
          ? allOrNothing(sql, work, NESTED)
          : allOrNothing(sql, work, { begin: 'BEGIN IMMEDIATE', commit: 'COMMIT', undo: 'ROLLBACK' }),
      changedElsewhere() {
        const { data_version: version } = dataVersion.get() as { data_version: number };
        const hasChanged = version !== seen;
        seen = version;
        return hasChanged;
      },
      close() {
        group.close();
        sql.close();
      },
    };
    return database;
  } catch (error) {
    sql.close();
    throw damageNamed(error, path);
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
