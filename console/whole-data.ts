import { existsSync, readdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';

/** What a console keeps of tenants beside its database. */
const FILES_OF_TENANTS = ['git', 'uploads', 'logs', 'artifacts'];

/**
 * Throws when the folder has files of tenants and no database, or an empty one: a new database would be a new console, with a key
 * to everything, beside what belongs to tenants that it does not know.
 */
export function expectDatabaseOfTenants(folder: string, database: string): void {
  const path = resolve(folder, database);
  if (existsSync(path) && statSync(path).size > 0) return;
  const full = FILES_OF_TENANTS.map((name) => resolve(folder, name)).find(
    (each) => existsSync(each) && readdirSync(each).length > 0,
  );
  if (full === undefined) return;
  throw new Error(
    `expected the database of the tenants in ${full} as ${path}, found ${existsSync(path) ? 'it empty' : 'none'}; ` +
      'restore a backup into a new folder (edge-console restore <backup> --data <folder>), or start a new console in an empty one',
  );
}

/** One line for whoever starts a console whose `console.key` is gone. */
export function lostKeyLine(key: string): string {
  return (
    `edge-console: ${key} was missing beside a database that has tenants, and a new one was made: enrolment tokens that are out are void, ` +
    'trigger keys have to be given again, and webhooks have other secrets. If there is a backup, stop the console and put its console.key back'
  );
}
