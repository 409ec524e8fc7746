import { z } from 'zod';
import { RequestRefused } from './refusal.ts';

const MESSAGE_MAX_CHARACTERS = 2_000;

/** The body as the schema has it, or 422 naming every field that is wrong. */
export function parseBody<T extends z.ZodType>(schema: T, body: unknown): z.infer<T> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const faults = z.prettifyError(parsed.error).slice(0, MESSAGE_MAX_CHARACTERS);
  throw new RequestRefused(422, 'body_invalid', `expected the body the contract describes, found: ${faults}`);
}
