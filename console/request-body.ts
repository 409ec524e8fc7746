import type { z } from 'zod';
import { isWithinDepth } from '../schemas/json-depth.ts';
import { RequestRefused } from './refusal.ts';
import { requestFaults } from './request-faults.ts';

/** No message of the contract has ten. */
const DEPTH_MAX = 100;

/** The body as the schema has it, or 422 naming every member that is wrong. */
export function parseBody<T extends z.ZodType>(schema: T, body: unknown): z.infer<T> {
  // Members that no schema knows are kept, too, and read again as they are.
  if (!isWithinDepth(body, DEPTH_MAX)) {
    const message = `expected a body of at most ${DEPTH_MAX} levels of nesting, found more`;
    throw new RequestRefused(422, 'body_invalid', message);
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const faults = requestFaults(parsed.error.issues, { schema, value: body, part: 'body' });
  throw new RequestRefused(422, 'body_invalid', faults);
}
