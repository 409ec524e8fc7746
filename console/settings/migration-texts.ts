import type { Upgrade } from '../store/ports/upgrade.ts';

/** One line for the log of whoever starts a console on older data. */
export function migratedLine({ from, to, copy }: Upgrade): string {
  return `edge-console: the data was of schema version ${from} and is of version ${to} now; a copy of what was: ${copy}`;
}

/** What `migrate` says. */
export function migrationTexts(done: Upgrade | null, options: { version: number; isTrial: boolean }): string {
  if (done === null)
    return `The data is of schema version ${options.version}, which is this console's: nothing to do.`;
  const { from, to, copy, changes } = done;
  const head = options.isTrial
    ? `The data is of schema version ${from}; this console needs ${to}. Tried on a copy: it works, and would change`
    : `The data was of schema version ${from} and is of version ${to} now. Changed:`;
  const tail = options.isTrial
    ? 'Nothing was changed. Without --dry-run it is done, after a copy of console.db.'
    : `What was is kept in ${copy}; delete it when you are content.`;
  return [head, '', ...changes.map((change) => `  ${change}`), '', tail].join('\n');
}
