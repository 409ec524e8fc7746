import { z } from 'zod';
import { Sha256, Slug, Timestamp, VersionName } from './names.ts';

/** `seq`, versions and lengths: positive and exact in a double. */
export const PositiveSafeInteger = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

const BoundFile = z.object({ sha256: Sha256, length: z.int().min(0).max(Number.MAX_SAFE_INTEGER) });

/** The signed statement about a manifest (contract, section 5): payload of `release.jws.json`. */
export const ReleaseStatement = z.looseObject({
  type: z.literal('edgeflows-release/v1'),
  tenant: Slug,
  seq: PositiveSafeInteger,
  issued: Timestamp,
  expires: Timestamp,
  root_version: PositiveSafeInteger,
  version: VersionName.optional(),
  min_agent: z
    .string()
    .regex(/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/, 'expected a version such as 1.4.0')
    .optional(),
  manifest: BoundFile,
  policy: BoundFile.optional(),
});
export type ReleaseStatement = z.infer<typeof ReleaseStatement>;
