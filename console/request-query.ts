import type { z } from 'zod';
import { RequestRefused } from './refusal.ts';
import { requestFaults } from './request-faults.ts';

/** The parameters as the schema has them, or 400 naming every one that is wrong, and those there are. */
export function parseQuery<T extends z.ZodType>(schema: T, query: unknown): z.infer<T> {
  const parsed = schema.safeParse(query);
  if (parsed.success) return parsed.data;
  const value = withLists(query as Record<string, unknown>, parsed.error.issues);
  const faults = requestFaults(parsed.error.issues, { schema, value, part: 'query' });
  throw new RequestRefused(400, 'query_invalid', faults);
}

/** `a,b` as the list it stands for, where one of its values is what is wrong. */
function withLists(query: Record<string, unknown>, issues: readonly z.core.$ZodIssue[]): unknown {
  const lists = issues.flatMap(({ path: [name, index] }) =>
    typeof index === 'number' ? [String(name)] : [],
  );
  const parted = lists.map((name) => [
    name,
    [query[name]]
      .flat()
      .flatMap((each) => (typeof each === 'string' ? each.split(',') : []))
      .filter(Boolean),
  ]);
  return { ...query, ...Object.fromEntries(parted) };
}
