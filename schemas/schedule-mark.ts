import { z } from 'zod';

/** `schedule/<flow>` in agent.db: up to when the times of a schedule have been considered. */
export const ScheduleMark = z.object({
  schedule: z.string(),
  timezone: z.string().nullable(),
  considered: z.string(),
});
export type ScheduleMark = z.infer<typeof ScheduleMark>;
