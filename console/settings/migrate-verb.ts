import type { Command } from 'commander';
import { expectDatabase } from '../data-folder.ts';
import { databaseFile } from '../store/open-store.ts';
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
    .action(async (options: Options) => {
      const path = expectDatabase(options.data);
      const isTrial = options.dryRun === true;
      const done = await (isTrial ? databaseFile.tryMigration(path) : databaseFile.migrate(path));
      const { version } = databaseFile;
      const { from = version, changes = [], copy = null } = done ?? {};
      print(
        options,
        { from, to: version, changes, copy, dry_run: isTrial },
        migrationTexts(done, { version, isTrial }),
      );
    });
}
