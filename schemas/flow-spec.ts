import { z } from 'zod';
import { FlowEntry } from './manifest-v2.ts';
import { CommitInfo } from './status.ts';

/**
 * One flow as the agent means it, whichever manifest it came from. Kept in the database with the active version,
 * so durations are milliseconds here. `layout` says where the version lives: `root` is `<slug>/<version>` (v1),
 * `flows` is `<slug>/flows/<flow>/<version>` (v2). `version` is the name the manifest (or the commit) gives, not yet a directory.
 */
export const FlowSpec = FlowEntry.extend({
  timeout: z.int().nullable(),
  entrypoint: z.string().nullable(),
  schedule: z.string().nullable(),
  lock: z.string().nullable(),
  size: z.int().nullable(),
  health: z.object({ args: z.array(z.string()), timeout: z.int() }).nullable(),
  service: z
    .object({ port_env: z.string(), ready: z.string().nullable(), live: z.string().nullable() })
    .nullable(),
  sha256: z.string(),
  layout: z.enum(['root', 'flows']),
});
export type FlowSpec = z.infer<typeof FlowSpec>;

/** What should run here: both manifests normalise to this. */
export const Release = z.object({
  revision: z.string(),
  commit: CommitInfo.nullable(),
  manifest_version: z.union([z.literal(1), z.literal(2)]),
  flows: z.array(FlowSpec),
  /** True when an empty list was asked for. */
  allow_empty: z.boolean(),
});
export type Release = z.infer<typeof Release>;
