import { z } from 'zod';
import { Sha256 } from '../../schemas/names.ts';
import { ARCHIVE_RULE_NAMES } from './archive-rules.ts';

/** To the unpacker child, one JSON line each. Paths are absolute. */
export const UnpackRequest = z.object({
  id: z.int(),
  /** The kept download. */
  bundle: z.string(),
  sha256: Sha256,
  /** Made by the child; must not be there. */
  into: z.string(),
  maxBytes: z.int().min(0),
  maxFiles: z.int().min(0),
});
export type UnpackRequest = z.infer<typeof UnpackRequest>;

/** How a request ended. */
export const UnpackAnswer = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('unpacked'),
    files: z.int().min(0),
    bytes: z.int().min(0),
    tree_sha256: Sha256,
  }),
  /** The archive breaks a rule. */
  z.object({
    kind: z.literal('refused'),
    code: z.enum(['archive_refused', 'caps_exceeded']),
    rule: z.enum(ARCHIVE_RULE_NAMES),
    message: z.string(),
  }),
  /** The kept download is not (or no longer) what was verified. */
  z.object({ kind: z.literal('altered'), found: z.string() }),
  /** The system failed: `code` is its own (ENOSPC, EIO, …). */
  z.object({ kind: z.literal('failed'), code: z.string(), message: z.string() }),
]);
export type UnpackAnswer = z.infer<typeof UnpackAnswer>;

/** From the child: what has been made so far (relative paths, for the parent to make durable), and then the answer. */
export const UnpackerMessage = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('made'),
    id: z.int(),
    files: z.array(z.string()),
    directories: z.array(z.string()),
  }),
  z.object({ kind: z.literal('answer'), id: z.int(), answer: UnpackAnswer }),
]);
export type UnpackerMessage = z.infer<typeof UnpackerMessage>;
export type Made = Pick<Extract<UnpackerMessage, { kind: 'made' }>, 'files' | 'directories'>;
