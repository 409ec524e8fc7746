import { dirname } from 'node:path';
import type { Command } from 'commander';
import { expectDatabase } from '../data-folder.ts';
import { backUp } from './backup.ts';
import { restore } from './restore.ts';

interface Options {
  readonly data: string;
  readonly output: 'text' | 'json';
}

/** `backup <file>` and `restore <file> --data <empty folder>`. */
export function addBackupVerbs({
  program,
  common,
  print,
}: {
  readonly program: Command;
  readonly common: (command: Command) => Command;
  readonly print: (options: Options, document: unknown, text: string) => void;
}): void {
  common(program.command('backup <file>'))
    .description('write everything the console keeps into one new file, while it runs')
    .action(async (file: string, options: Options) => {
      const data = dirname(expectDatabase(options.data));
      const made = await backUp(data, file, new Date(), AbortSignal.timeout(24 * 60 * 60_000));
      print(
        options,
        made,
        `Backup ${made.file}: ${made.files} files, ${made.bytes} bytes, read again and whole.

It holds the console's key: whoever has the file can enrol machines and read every tenant. Keep it where only you read.
edge-console restore ${file} --data <empty folder> makes a console of it.`,
      );
    });
  common(program.command('restore <file>'))
    .description('make the data of a console of a backup, in a new folder (--data)')
    .action(async (file: string, options: Options) => {
      const index = await restore(file, options.data, AbortSignal.timeout(24 * 60 * 60_000));
      print(
        options,
        { data: options.data, ...index },
        `Restored into ${options.data}: ${index.files} files of ${index.made_at}.

What was done since then is not in it: who was revoked after ${index.made_at} is not any more, and what came in is asked for again
where agents still have it. Never run two consoles on the same backup.
Next: edge-console serve --data ${options.data}${index.public_url === null ? '' : ` (it was ${index.public_url})`}`,
      );
    });
}
