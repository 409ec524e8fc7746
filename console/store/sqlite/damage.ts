import { StoreDamaged } from '../damaged.ts';

/** The low byte of extended codes (https://sqlite.org/rescode.html). */
const [SQLITE_CORRUPT, SQLITE_NOTADB] = [11, 26];

/** The fault of a damaged database with its path and what to do; every other one as it is. */
export function damageNamed(cause: unknown, path: string): unknown {
  const { errcode } = (cause ?? {}) as { errcode?: unknown };
  const code = typeof errcode === 'number' ? errcode & 0xff : null;
  if (code !== SQLITE_CORRUPT && code !== SQLITE_NOTADB) return cause;
  return new StoreDamaged(
    `expected a sound database in ${path}, found it damaged (${(cause as Error).message}); keep the folder as it is, ` +
      'and restore the newest backup into a new one: edge-console restore <backup> --data <folder>',
    { cause },
  );
}
