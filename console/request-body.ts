import { z } from 'zod';
import { isWithinDepth } from '../schemas/json-depth.ts';
import { RequestRefused } from './refusal.ts';

const MESSAGE_MAX_CHARACTERS = 2_000;
/** No message of the contract has ten. */
const DEPTH_MAX = 100;

/** The body as the schema has it, or 422 naming every field that is wrong. */
export function parseBody<T extends z.ZodType>(schema: T, body: unknown): z.infer<T> {
  // Members that no schema knows are kept, too, and read again as they are.
  if (!isWithinDepth(body, DEPTH_MAX)) {
    const message = `expected a body of at most ${DEPTH_MAX} levels of nesting, found more`;
    throw new RequestRefused(422, 'body_invalid', message);
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const faults = z.prettifyError(parsed.error).slice(0, MESSAGE_MAX_CHARACTERS);
  throw new RequestRefused(422, 'body_invalid', `expected the body the contract describes, found: ${faults}`);
}
