import { z } from 'zod';
import { FlowId, Id, Sha256 } from './names.ts';
import { UploadKind, UploadName } from './upload.ts';

export const UPLOAD_METADATA_MAX_CHARACTERS = 16_384;

/** What `Upload-Metadata` says of a file (docs/spec/file-upload.md). Lenient: unknown keys are ignored. */
export const UploadMetadata = z.object({
  name: UploadName,
  sha256: Sha256,
  kind: UploadKind,
  run_id: Id.nullable().default(null),
  flow: FlowId.nullable().default(null),
  purpose: z.string().max(1_000).nullable().default(null),
});
export type UploadMetadata = z.infer<typeof UploadMetadata>;

/** The value of `Upload-Metadata` (tus 1.0.0, "Creation"): pairs of a key and its value in base64, separated by commas. */
export function formatUploadMetadata(metadata: UploadMetadata): string {
  return Object.entries(metadata)
    .filter((entry): entry is [string, string] => entry[1] !== null)
    .map(([key, value]) => `${key} ${Buffer.from(value, 'utf8').toString('base64')}`)
    .join(',');
}

/** The pairs of a header, or null when it is none: a key twice, bad base64, bytes that are no UTF-8, or too long. */
export function parseUploadMetadata(header: string): Record<string, string> | null {
  if (header.length > UPLOAD_METADATA_MAX_CHARACTERS) return null;
  const pairs = new Map<string, string>();
  for (const part of header.split(',')) {
    const [, key, value = ''] = /^\s*([!-+\--~]{1,64})(?: ([A-Za-z0-9+/]*={0,2}))?\s*$/.exec(part) ?? [];
    if (key === undefined || pairs.has(key)) return null;
    try {
      pairs.set(key, new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'base64')));
    } catch {
      return null;
    }
  }
  return Object.fromEntries(pairs);
}
