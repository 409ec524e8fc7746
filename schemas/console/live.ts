import { z } from 'zod';
import { Timestamp } from '../names.ts';

/** Ids of what changed, or `many` when they are more than fifty. */
const Changed = z.union([z.array(z.string()), z.literal('many')]);

/** Data of the event `changed` of `GET /api/live`: what a page that shows it should ask for again. */
export const LiveChange = z.object({
  time: Timestamp,
  agents: Changed,
  runs: Changed,
  flows: z.boolean(),
  releases: z.boolean(),
  events: z.boolean(),
  commands: z.boolean(),
  audit: z.boolean(),
  tokens: z.boolean(),
});
export type LiveChange = z.infer<typeof LiveChange>;
