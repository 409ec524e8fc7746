import type { ConsoleStore } from './ports/console-store.ts';
import type { DatabaseFile } from './ports/database-file.ts';
import { sqliteFile } from './sqlite/sqlite-file.ts';
import { openSqliteStore } from './sqlite/sqlite-store.ts';

/** The one place that says in which database a console keeps what it knows. `folder` is there. */
export async function openStore(folder: string, now: () => Date): Promise<ConsoleStore> {
  return openSqliteStore(folder, now);
}

/** Care of the file that `openStore` makes. */
export const databaseFile: DatabaseFile = sqliteFile;
