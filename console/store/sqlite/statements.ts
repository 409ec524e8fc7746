import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';

/** More than the stores have of fixed texts; those put together from parts take the place of the least used. */
const KEPT = 400;

/**
 * Compiles every text once: compiling costs more than most of our statements take to run. The statement is shared by all who
 * ask for the text (`named` puts what they throw into other words), so use `get`, `all` and `run` on it, which are done when they return, never `iterate`.
 */
export function createStatements(
  sql: DatabaseSync,
  named: (fault: unknown) => unknown,
): (text: string) => StatementSync {
  const kept = new Map<string, StatementSync>();
  const compiled = (text: string): StatementSync => {
    const statement = sql.prepare(text);
    for (const name of ['get', 'all', 'run'] as const) {
      const own = statement[name].bind(statement) as (...values: SQLInputValue[]) => unknown;
      const told = (...values: SQLInputValue[]) => {
        try {
          return own(...values);
        } catch (error) {
          throw named(error);
        }
      };
      Object.defineProperty(statement, name, { value: told });
    }
    return statement;
  };
  return (text) => {
    const statement = kept.get(text) ?? compiled(text);
    // To the end: a Map keeps the order of insertion, so the first is the least used.
    kept.delete(text);
    kept.set(text, statement);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value as string);
    return statement;
  };
}
