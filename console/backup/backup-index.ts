import { z } from 'zod';

/** The last member of a backup: what it is, and what was in the database. Without it a backup is not whole. */
export const BackupIndex = z.object({
  format: z.literal(1),
  made_at: z.string(),
  console_version: z.string(),
  schema_version: z.int(),
  public_url: z.string().nullable(),
  /** Rows of each table. */
  counts: z.record(z.string(), z.int()),
  files: z.int(),
  bytes: z.int(),
});
export type BackupIndex = z.infer<typeof BackupIndex>;

/** A line of `files.jsonl`: every member before it. */
export const BackupFile = z.object({ path: z.string(), size: z.int(), sha256: z.string() });
export type BackupFile = z.infer<typeof BackupFile>;

export const INDEX = 'backup.json';
export const FILES = 'files.jsonl';
export const DATABASE = 'console.db';
export const KEY = 'console.key';
/** Folders of the data directory that are taken as they are. */
export const FOLDERS = ['artifacts', 'uploads', 'logs'] as const;
/** git repositories, one bundle each. */
export const BUNDLES = 'git';
