import type { DatabaseFile } from '../ports/database-file.ts';
import { openDatabase } from './database.ts';
import { tryMigration } from './migrate.ts';
import { MIGRATIONS } from './migrations.ts';
import { copyDatabase, factsOf } from './snapshot.ts';

export const sqliteFile: DatabaseFile = {
  version: MIGRATIONS.length,
  async migrate(path) {
    const database = openDatabase(path);
    database.close();
    return database.migrated;
  },
  tryMigration: async (path) => tryMigration(path, MIGRATIONS),
  copy: copyDatabase,
  facts: async (path) => factsOf(path),
};
