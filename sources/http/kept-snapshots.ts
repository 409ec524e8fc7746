import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MANIFEST_FILE } from '../../reconciler/ports.ts';
import { writeFileAtomically } from '../../system/atomic-file.ts';

const MAX_KEPT = 20;
const MAX_KEPT_BYTES = 64 * 1_024 * 1_024;
const FILE_NAME = /^[0-9a-f]{64}\.json$/;
const LATEST = 'latest.json';

const KeptDocument = z.strictObject({
  format: z.literal(1),
  fingerprint: z.string(),
  settled: z.boolean(),
  files: z.array(z.strictObject({ path: z.string(), etag: z.string().nullable(), bytes: z.base64() })),
});
const Latest = z.strictObject({ format: z.literal(1), manifest_sha256: z.string().regex(/^[0-9a-f]{64}$/) });

export interface KeptFile {
  readonly bytes: Uint8Array;
  readonly etag: string | null;
}

/** All files of one release, as they were read. */
export interface KeptSnapshot {
  readonly fingerprint: string;
  /** False while a file that the statement binds was missing or another one: they are looked at again. */
  readonly settled: boolean;
  readonly files: ReadonlyMap<string, KeptFile>;
}

/** The newest releases in `<state>/http/`, one file each, so that a release is there whole or not at all. */
export interface KeptSnapshots {
  latest(): Promise<KeptSnapshot | null>;
  byManifest(sha256: string): Promise<KeptSnapshot | null>;
  /** Durable when it resolves. */
  keep(snapshot: KeptSnapshot): Promise<void>;
}

export function createKeptSnapshots(folder: string): KeptSnapshots {
  let latest: KeptSnapshot | null = null;

  const load = async (sha256: string): Promise<KeptSnapshot | null> => {
    const document = KeptDocument.safeParse(await readJson(join(folder, `${sha256}.json`)));
    if (!document.success) return null;
    const { fingerprint, settled, files } = document.data;
    const entries = files.map(
      ({ path, etag, bytes }) => [path, { etag, bytes: Buffer.from(bytes, 'base64') }] as const,
    );
    const snapshot = { fingerprint, settled, files: new Map<string, KeptFile>(entries) };
    // A file that the disk has changed is as good as none.
    return manifestSha256(snapshot) === sha256 ? snapshot : null;
  };

  return {
    async latest() {
      if (latest !== null) return latest;
      const pointer = Latest.safeParse(await readJson(join(folder, LATEST)));
      latest = pointer.success ? await load(pointer.data.manifest_sha256) : null;
      return latest;
    },
    byManifest: load,
    async keep(snapshot) {
      const sha256 = manifestSha256(snapshot);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const files = [...snapshot.files].map(([path, { etag, bytes }]) => {
        return { path, etag, bytes: Buffer.from(bytes).toString('base64') };
      });
      const { fingerprint, settled } = snapshot;
      await writeFileAtomically(
        join(folder, `${sha256}.json`),
        JSON.stringify({ format: 1, fingerprint, settled, files }),
      );
      await writeFileAtomically(join(folder, LATEST), JSON.stringify({ format: 1, manifest_sha256: sha256 }));
      latest = snapshot;
      await prune(folder, `${sha256}.json`);
    },
  };
}

function manifestSha256(snapshot: KeptSnapshot): string {
  const manifest = snapshot.files.get(MANIFEST_FILE);
  return createHash('sha256')
    .update(manifest?.bytes ?? '')
    .digest('hex');
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || error instanceof SyntaxError) return null;
    throw error;
  }
}

async function prune(folder: string, current: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => FILE_NAME.test(name) && name !== current);
  const kept = await Promise.all(
    names.map(async (name) => {
      const { mtimeMs, size } = await stat(join(folder, name));
      return { name, mtimeMs, size };
    }),
  );
  let bytes = 0;
  for (const [index, { name, size }] of kept.sort((a, b) => b.mtimeMs - a.mtimeMs).entries()) {
    bytes += size;
    if (index >= MAX_KEPT - 1 || bytes > MAX_KEPT_BYTES) await rm(join(folder, name), { force: true });
  }
}
