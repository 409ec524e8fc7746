import type { Command } from 'commander';
import { expectDatabase } from '../data-folder.ts';
import { openDatabase } from '../store/sqlite/database.ts';
import { tryMigration } from '../store/sqlite/migrate.ts';
import { MIGRATIONS } from '../store/sqlite/migrations.ts';
import { migrationTexts } from './migration-texts.ts';

interface Options {
  readonly data: string;
  readonly output: 'text' | 'json';
  readonly dryRun?: true;
}

/** `migrate`: the data of an older console becomes that of this one, as `serve` does it by itself. */
export function addMigrateVerb({
  program,
  common,
  print,
}: {
  readonly program: Command;
  readonly common: (command: Command) => Command;
  readonly print: (options: Options, document: unknown, text: string) => void;
}): void {
  common(program.command('migrate'))
    .description('bring the data of an older console to this version, after a copy of its database')
    .option('--dry-run', 'try it on a copy and say what would change')
    .action((options: Options) => {
      const path = expectDatabase(options.data);
      const isTrial = options.dryRun === true;
      const done = isTrial ? tryMigration(path, MIGRATIONS) : migrateNow(path);
      const version = MIGRATIONS.length;
      const { from = version, changes = [], copy = null } = done ?? {};
      print(
        options,
        { from, to: version, changes, copy, dry_run: isTrial },
        migrationTexts(done, { version, isTrial }),
      );
    });
}

function migrateNow(path: string) {
  const database = openDatabase(path);
  database.close();
  return database.migrated;
}
