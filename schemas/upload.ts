import { z } from 'zod';
import { FlowId, Id, Sha256 } from './names.ts';

/** Path below `saas_url` where uploads are made (docs/spec/file-upload.md). */
export const UPLOADS_PATH = '/edge/uploads';
/** A flow that wants local documents sent leaves this file in EDGE_OUTPUT_DIR. */
export const UPLOAD_REQUEST_FILE = 'edge-uploads.json';
export const UPLOAD_REQUEST_MAX_BYTES = 64 * 1_024;

/** A name for people and for lists, never a path that is opened. */
export const UploadName = z
  .string()
  .min(1)
  .max(1_024)
  .regex(/^\P{Cc}+$/u, 'expected a name without control characters');
const Purpose = z
  .string()
  .max(1_000)
  .regex(/^\P{Cc}*$/u, 'expected a purpose of one line');

export const UploadKind = z.enum(['output', 'document']);
export type UploadKind = z.infer<typeof UploadKind>;

/** `edge-uploads.json`, written by a flow. Paths are absolute. */
export const UploadRequestFile = z.strictObject({
  uploads: z
    .array(
      z.strictObject({
        path: z.string().min(1).max(4_096),
        name: UploadName.optional(),
        purpose: Purpose.optional(),
      }),
    )
    .min(1)
    .max(100),
});
export type UploadRequestFile = z.infer<typeof UploadRequestFile>;

/** The part of a 2xx answer to `POST /edge/notify` that gives outputs a place. */
export const UploadPlaces = z.looseObject({
  uploads: z.array(z.looseObject({ name: z.string(), upload_url: z.string() })).max(10_000),
});
export type UploadPlaces = z.infer<typeof UploadPlaces>;

const About = {
  /** 32 hexadecimal digits, from digest, name and run: the same file for the same reason is one upload. */
  upload_id: z.string().regex(/^[0-9a-f]{32}$/),
  name: UploadName,
  size: z.int().min(0),
  sha256: Sha256,
  run_id: Id.nullable(),
  flow: FlowId.nullable(),
  purpose: Purpose.nullable(),
};

/** One row of the agent's queue. */
export const UploadJob = z.discriminatedUnion('kind', [
  /** A file of a run's EDGE_OUTPUT_DIR that the console gave a place. */
  z.object({ kind: z.literal('output'), ...About, attempt: z.int().min(1), place: z.string() }),
  /** A local document; its bytes are kept in `<state>/uploads/<upload_id>`. */
  z.object({ kind: z.literal('document'), ...About, origin: z.string(), by: z.string() }),
  /** The `edge-uploads.json` of a run, not read yet. */
  z.object({ kind: z.literal('request'), run_id: Id, attempt: z.int().min(1), flow: FlowId }),
]);
export type UploadJob = z.infer<typeof UploadJob>;
export type UploadFileJob = Exclude<UploadJob, { kind: 'request' }>;

/** What a person is told of one file. */
export const UploadState = z.object({
  upload_id: z.string().nullable(),
  name: z.string(),
  path: z.string().nullable(),
  kind: UploadKind,
  size: z.int().nullable(),
  sha256: Sha256.nullable(),
  run_id: Id.nullable(),
  state: z.enum(['waiting', 'sending', 'uploaded', 'refused']),
  /** Bytes the console has, as far as is known. */
  sent: z.int(),
  attempts: z.int(),
  code: z.string().nullable(),
  message: z.string().nullable(),
});
export type UploadState = z.infer<typeof UploadState>;
