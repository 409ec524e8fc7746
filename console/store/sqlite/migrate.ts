import { chmodSync, closeSync, fsyncSync, mkdtempSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Upgrade } from '../ports/upgrade.ts';
import { schemaChanges } from './schema-changes.ts';

/**
 * Brings an open database up to the last of `migrations` (entry n takes it from version n to n+1), all or nothing. One with data
 * in it is copied first (`<path>.v<n>.bak`), and checked before it counts. Null when there was nothing to do, or nothing in it.
 * Throws for a database of a newer console, and when a check fails; it is as it was then.
 */
export function migrate(sql: DatabaseSync, path: string, migrations: readonly string[]): Upgrade | null {
  const from = versionOf(sql, path, migrations.length);
  if (from === migrations.length) return null;
  const copy = from === 0 ? null : keepCopy(sql, path, from);
  sql.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have been quicker.
    const found = versionOf(sql, path, migrations.length);
    for (const step of migrations.slice(found)) sql.exec(step);
    if (found < migrations.length) {
      if (found > 0) expectSound(sql, path, copy);
      sql.exec(`PRAGMA user_version = ${migrations.length}`);
    }
    sql.exec('COMMIT');
    if (found === 0 || found === migrations.length) return null;
    return { from: found, to: migrations.length, changes: schemaChanges(migrations, found), copy };
  } catch (error) {
    if (sql.isTransaction) sql.exec('ROLLBACK');
    throw error;
  }
}

/** The same on a copy beside it, which goes again: whether it would work, and what it would change. Null: nothing to do. */
export function tryMigration(path: string, migrations: readonly string[]): Upgrade | null {
  const sql = new DatabaseSync(path, { readOnly: true, timeout: 10_000 });
  let folder: string | null = null;
  try {
    const from = versionOf(sql, path, migrations.length);
    if (from === migrations.length) return null;
    folder = mkdtempSync(join(dirname(path), '.migration-'));
    const copy = join(folder, 'console.db');
    sql.prepare('VACUUM INTO ?').run(copy);
    const trial = new DatabaseSync(copy);
    try {
      trial.exec('PRAGMA foreign_keys = ON; BEGIN');
      for (const step of migrations.slice(from)) trial.exec(step);
      expectSound(trial, path, null);
    } finally {
      trial.close();
    }
    return { from, to: migrations.length, changes: schemaChanges(migrations, from), copy: null };
  } finally {
    sql.close();
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
  }
}

function versionOf(sql: DatabaseSync, path: string, newest: number): number {
  const { user_version: found } = sql.prepare('PRAGMA user_version').get() as { user_version: number };
  if (found <= newest) return found;
  throw new Error(
    `expected ${path} to be of schema version ${newest} or older, found ${found}: ` +
      'it was written by a newer console; start that one, or use another data directory',
  );
}

/** Not in place while it grows: a copy that has the name is whole. */
function keepCopy(sql: DatabaseSync, path: string, version: number): string {
  const copy = `${path}.v${version}.bak`;
  const draft = `${copy}.${process.pid}`;
  rmSync(draft, { force: true });
  try {
    // SQLite fills a file that is empty, and leaves its rights as they are.
    closeSync(openSync(draft, 'wx', 0o600));
    sql.prepare('VACUUM INTO ?').run(draft);
    chmodSync(draft, 0o600);
    const file = openSync(draft, 'r+');
    fsyncSync(file);
    closeSync(file);
    const kept = new DatabaseSync(draft, { readOnly: true });
    const { user_version: found } = kept.prepare('PRAGMA user_version').get() as { user_version: number };
    kept.close();
    // Of a newer version when another process has migrated meanwhile: that one kept the copy.
    if (found === version) renameSync(draft, copy);
    return copy;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Inside of the transaction, so that a database that is not sound stays what it was. */
function expectSound(sql: DatabaseSync, path: string, copy: string | null): void {
  const dangling = sql.prepare('PRAGMA foreign_key_check').all() as { table: string; parent: string }[];
  const [first] = dangling;
  const broken = sql.prepare('PRAGMA integrity_check(1)').get() as { integrity_check: string };
  const found =
    first === undefined
      ? broken.integrity_check
      : `${dangling.length} rows, the first in ${first.table}, that refer to rows of ${first.parent} which are not there`;
  if (first === undefined && found === 'ok') return;
  const kept = copy === null ? '' : `, and there is a copy of it: ${copy}`;
  throw new Error(
    `expected ${path} to be sound after its migration, found: ${found}. It is as it was before${kept}`,
  );
}
