import { z } from 'zod';
import { FlowId, Revision, Sha256, Timestamp } from './names.ts';

/** A directory name: a version, or `<version>+<first 8 of sha256>` when the name was taken by another digest. */
export const VersionDirectory = z.string().min(1).max(80);

/** `<version>` (v1) or `flows/<flow>/<version>` (v2), relative to `<edge_cache_dir>/<slug>`. */
const VersionPath = z
  .string()
  .regex(
    /^(?:flows\/[a-z0-9-]{1,63}\/)?[A-Za-z0-9][A-Za-z0-9._+-]{0,79}$/,
    'expected <version> or flows/<flow>/<version>',
  );

const VersionRef = z.object({ version: VersionDirectory, sha256: Sha256, path: VersionPath });

export const Held = z.object({ by: z.string(), why: z.string() });
export type Held = z.infer<typeof Held>;

export const ActiveFlow = VersionRef.extend({
  revision: Revision,
  activated_at: Timestamp,
  previous: VersionRef.nullable(),
  held: Held.nullable(),
});
export type ActiveFlow = z.infer<typeof ActiveFlow>;

export const SeqMark = z.object({ keys: Sha256, value: z.int().min(0).max(Number.MAX_SAFE_INTEGER) });
export type SeqMark = z.infer<typeof SeqMark>;

/** `current.json` (contract, section 4): the truth about what is active. Paths are relative to `<edge_cache_dir>/<slug>`. */
export const Current = z.object({
  format: z.literal(1),
  seq: SeqMark.nullable(),
  revision: Revision.nullable(),
  flows: z.record(FlowId, ActiveFlow),
});
export type Current = z.infer<typeof Current>;

export const EMPTY_CURRENT: Current = { format: 1, seq: null, revision: null, flows: {} };
