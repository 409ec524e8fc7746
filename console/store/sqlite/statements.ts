import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** More than the stores have of fixed texts; those put together from parts take the place of the least used. */
const KEPT = 400;

/**
 * Compiles every text once: compiling costs more than most of our statements take to run. The statement is shared by all who
 * ask for the text, so use `get`, `all` and `run` on it, which are done when they return, never `iterate`.
 */
export function createStatements(sql: DatabaseSync): (text: string) => StatementSync {
  const kept = new Map<string, StatementSync>();
  return (text) => {
    const statement = kept.get(text) ?? sql.prepare(text);
    // To the end: a Map keeps the order of insertion, so the first is the least used.
    kept.delete(text);
    kept.set(text, statement);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value as string);
    return statement;
  };
}
