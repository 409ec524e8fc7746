import { z } from 'zod';

/** In every finished folder of `.agent/envs/`. */
export const COMPLETE_FILE = '.complete';

/** Says that an environment is whole, and of what it was made. */
export const EnvironmentMark = z.object({
  format: z.literal(1),
  /** The folder's own name. */
  name: z.string().min(1).max(64),
  /** What is in it, for people: `3 packages, Python 3.11.7, uv 0.13.9`. */
  contents: z.string().max(1_024),
  /** What asks for it: the SHA-256 of a lock, or the version of Playwright. */
  needed_by: z.string().min(1).max(128),
  built_at: z.iso.datetime(),
  files: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  /** Over the names, kinds, sizes, modes and times of the files. */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
});
export type EnvironmentMark = z.infer<typeof EnvironmentMark>;
