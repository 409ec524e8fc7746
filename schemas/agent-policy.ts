import { z } from 'zod';
import { Cron } from './cron.ts';
import { PositiveDuration } from './duration.ts';
import { PositiveSize } from './size.ts';

export const RollbackOn = z.enum(['health', 'runs', 'never']);

export const RetentionFields = {
  keep_versions: z.int().min(1).max(1_000),
  keep_days: z.int().min(1).max(3_650),
  max_bytes: PositiveSize,
  schedule: Cron,
};

/**
 * `agent-policy.yaml` of the tenant branch: what a commit may set when the release statement binds it (contract, section 2).
 * Any other key makes the release refused.
 */
export const AgentPolicy = z.strictObject({
  version: z.literal(1),
  runs: z
    .strictObject({
      concurrency: z.int().min(1).max(64),
      default_timeout: PositiveDuration,
      rollback_on: RollbackOn,
    })
    .partial()
    .optional(),
  retention: z.strictObject(RetentionFields).partial().optional(),
  maintenance: z
    .strictObject({
      windows: z.array(Cron).min(1, 'expected at least one window, or no list for always').max(64),
    })
    .optional(),
  source: z.strictObject({ interval: PositiveDuration }).partial().optional(),
});
export type AgentPolicy = z.infer<typeof AgentPolicy>;
