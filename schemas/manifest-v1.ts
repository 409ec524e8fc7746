import { z } from 'zod';
import { FlowId, Sha256Input, VersionName } from './names.ts';

export const Runtime = z.enum(['python', 'playwright', 'ahk', 'subprocess', 'service']);
export type Runtime = z.infer<typeof Runtime>;

export const CpuArch = z.enum(['x86_64', 'arm64', 'any']);
export type CpuArch = z.infer<typeof CpuArch>;

/** An absolute URL; whether it may be called is the allow-list's decision, not the manifest's. */
export const EdgeUrl = z
  .string()
  .max(4_096)
  .refine(
    (text) => URL.canParse(text),
    'expected an absolute URL of the bundle, https:// or s3://bucket/key',
  );

/** A file inside the bundle, relative, with forward slashes and no step upwards. */
export const BundlePath = z
  .string()
  .min(1)
  .max(1_024)
  .refine(
    (path) =>
      !path.includes('\\') &&
      !path.includes('\0') &&
      !/^[A-Za-z]:/.test(path) &&
      path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'expected a path inside the bundle with forward slashes, such as runner_42.py',
  );

export const BundleSize = z.int('expected a whole number of bytes').min(1);

/** Manifest v1 (contract, section 3): frozen, unknown fields ignored. */
export const ManifestV1 = z.object({
  manifest_version: z.literal(1).optional(),
  edge_url: EdgeUrl,
  sha256: Sha256Input,
  runtime: Runtime,
  cpu_arch: CpuArch.optional(),
  version: VersionName.optional(),
  flow_id: FlowId.optional(),
  entrypoint: BundlePath.optional(),
  size: BundleSize.optional(),
});
export type ManifestV1 = z.infer<typeof ManifestV1>;
