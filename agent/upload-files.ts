import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentConfig } from '../schemas/agent-config.ts';
import type { UploadRefused } from '../sinks/upload-sender.ts';
import { syncDirectory } from '../system/atomic-file.ts';
import {
  isBelow,
  openRegularFile,
  type RegularFile,
  readRange,
  ShortFileError,
} from '../system/regular-file.ts';
import { type AgentPaths, configPath } from './paths.ts';

/** agent.yaml as it is now, and where its paths lead. */
export interface UploadSettings {
  readonly config: AgentConfig;
  readonly paths: AgentPaths;
}

/** Copies of documents wait in so many times `uploads.max_bytes` at most. */
const COPIES_MAX_FILES = 10;
const ROOM_BYTES = 256 * 1_024;
const UNNAMED_MAX_AGE_MS = 60 * 60_000;

type Opened = Extract<RegularFile, { kind: 'open' }>;

/** The only ways by which bytes of this machine come into an upload. */
export interface UploadFiles {
  /** A file a person or a flow names: below one of `uploads.paths`, and never the agent's own. */
  document(path: string, by: 'person' | 'flow'): Promise<Opened | UploadRefused>;
  /** Whether a real path lies below one of `uploads.paths` now. */
  covers(real: string): Promise<boolean>;
  /** A file a run has left in its EDGE_OUTPUT_DIR. */
  output(runId: string, attempt: number, name: string): Promise<Opened | UploadRefused>;
  /** The kept copy of a document. */
  copy(uploadId: string): Promise<Opened | UploadRefused>;
  /** Copies an open document, hashing it; `idOf` names the copy by its digest. At most `uploads.max_bytes`. */
  keep(
    file: Opened,
    idOf: (sha256: string) => string,
    signal: AbortSignal,
  ): Promise<{ kind: 'kept'; uploadId: string; size: number; sha256: string } | UploadRefused>;
  forget(uploadId: string): Promise<void>;
  /** Removes copies, older than an hour, that nobody waits for. */
  tidy(waiting: (uploadId: string) => boolean): Promise<number>;
}

export function createUploadFiles(settings: () => UploadSettings): UploadFiles {
  const copies = () => join(settings().paths.state, 'uploads');
  const outputFolder = (runId: string, attempt: number) =>
    join(settings().paths.runs, runId, String(attempt), 'output');

  const own = ({ config: { tunnel }, paths }: UploadSettings) => [
    paths.credentials,
    paths.state,
    paths.config,
    // The secret of a tunnel server may lie anywhere.
    ...('token_file' in tunnel ? [configPath(tunnel.token_file, paths.config)] : []),
  ];

  const checked = async (
    found: RegularFile,
    path: string,
    oneName: boolean,
  ): Promise<Opened | UploadRefused> => {
    switch (found.kind) {
      case 'open':
        if (!oneName || found.names === 1) return found;
        await found.handle.close();
        return refused(
          'path_not_allowed',
          `${path}: expected a file with one name, found ${found.names} hard links to it; copy it`,
        );
      case 'outside':
        return refused(
          'path_not_allowed',
          `${path}: expected a file below one of uploads.paths, and none of the agent’s own; add its folder to agent.yaml, or move it`,
        );
      case 'missing':
        return refused('file_missing', `${path}: expected a file that can be read, found ${found.found}`);
      case 'not_a_file':
        return refused('not_a_file', `${path}: expected a regular file, found something else`);
    }
  };

  return {
    async document(path, by) {
      const now = settings();
      const roots = now.config.uploads.paths.map((written) => configPath(written, now.paths.config));
      // A flow may own the folder it writes to, and link into it what it could not read.
      return checked(await openRegularFile(path, { roots, never: own(now) }), path, by === 'flow');
    },
    async covers(real) {
      const { config, paths } = settings();
      for (const written of config.uploads.paths) {
        const root = await realpath(configPath(written, paths.config)).catch(() => null);
        if (root !== null && isBelow(real, root)) return true;
      }
      return false;
    },
    async output(runId, attempt, name) {
      const root = outputFolder(runId, attempt);
      const { paths } = settings();
      const found = await openRegularFile(join(root, name), { roots: [root], never: [paths.credentials] });
      if (found.kind === 'outside')
        return refused('file_changed', `${name}: expected the file that was reported, found a link`);
      return checked(found, name, true);
    },
    async copy(uploadId) {
      const found = await openRegularFile(join(copies(), uploadId), { roots: [copies()], never: [] });
      return checked(found, `the kept copy ${uploadId}`, true);
    },
    async keep(file, idOf, signal) {
      const { max_bytes: maxBytes } = settings().config.uploads;
      if (file.size > maxBytes) {
        const message = `${file.real}: expected at most ${maxBytes} bytes (uploads.max_bytes), found ${file.size}`;
        return refused('file_too_large', message);
      }
      const folder = copies();
      await mkdir(folder, { recursive: true, mode: 0o700 });
      if ((await bytesIn(folder)) + file.size > COPIES_MAX_FILES * maxBytes) {
        const message = `expected at most ${COPIES_MAX_FILES * maxBytes} bytes of documents to wait, found more with ${file.real}; try again when some are sent`;
        return refused('queue_full', message);
      }
      const draft = join(folder, `.${randomBytes(8).toString('hex')}`);
      try {
        const hash = createHash('sha256');
        const copy = await open(draft, 'wx', 0o600);
        try {
          // As long as it was when it was opened: a log may grow meanwhile, and what has no size (/proc) has no content.
          for await (const chunk of readRange(file.handle, 0, file.size, Buffer.allocUnsafe(ROOM_BYTES))) {
            signal.throwIfAborted();
            hash.update(chunk);
            await copy.writeFile(chunk);
          }
          await copy.sync();
        } finally {
          await copy.close();
        }
        const sha256 = hash.digest('hex');
        const uploadId = idOf(sha256);
        await rename(draft, join(folder, uploadId));
        await syncDirectory(folder);
        return { kind: 'kept', uploadId, size: file.size, sha256 };
      } catch (error) {
        if (!(error instanceof ShortFileError)) throw error;
        return refused('file_changed', `${file.real}: ${error.message}`);
      } finally {
        await rm(draft, { force: true });
      }
    },
    async forget(uploadId) {
      await rm(join(copies(), uploadId), { force: true });
    },
    async tidy(waiting) {
      let removed = 0;
      for (const name of await readdir(copies()).catch(() => [])) {
        const path = join(copies(), name);
        const found = await stat(path).catch(() => null);
        // A copy is there before its row is.
        if (found === null || waiting(name) || Date.now() - found.mtimeMs < UNNAMED_MAX_AGE_MS) continue;
        await rm(path, { force: true, recursive: true });
        removed += 1;
      }
      return removed;
    },
  };
}

/** SHA-256 of an open file; null when it ended before it should. */
export async function digestOf(file: Opened, signal: AbortSignal): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of readRange(file.handle, 0, file.size, Buffer.allocUnsafe(ROOM_BYTES))) {
      signal.throwIfAborted();
      hash.update(chunk);
    }
  } catch (error) {
    if (error instanceof ShortFileError) return null;
    throw error;
  }
  return hash.digest('hex');
}

export function refused(code: UploadRefused['code'], message: string): UploadRefused {
  return { kind: 'refused', code, message };
}

async function bytesIn(folder: string): Promise<number> {
  const sizes = await Promise.all(
    (await readdir(folder)).map(
      async (name) => (await stat(join(folder, name)).catch(() => null))?.size ?? 0,
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
