import { close, fsync, open } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../system/atomic-file.ts';

const CONCURRENCY = 8;
/** Beyond so many waiting paths the writer is held back. */
const WAITING_MAX = 1_024;

export interface TreeSync {
  /** Paths relative to the root, already written and closed. Resolves when more may come. */
  add(made: { readonly files: readonly string[]; readonly directories: readonly string[] }): Promise<void>;
  /** Resolves when everything added is durable; rejects with the first failure. */
  drain(): Promise<void>;
}

/**
 * Makes a tree durable while it is being written, eight files at a time. It is the parent's work, because Node's permission model
 * refuses `fsync` to the child.
 */
export function createTreeSync(root: string): TreeSync {
  const waiting: { path: string; directory: boolean }[] = [];
  const workers = new Set<Promise<void>>();
  let failure: { error: unknown } | null = null;

  const work = async () => {
    for (let next = waiting.pop(); next !== undefined && failure === null; next = waiting.pop()) {
      const path = join(root, next.path);
      await (next.directory ? syncDirectory(path) : syncFile(path));
    }
  };
  const startWorkers = () => {
    while (workers.size < CONCURRENCY && workers.size < waiting.length) {
      const worker: Promise<void> = work()
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => workers.delete(worker));
      workers.add(worker);
    }
  };
  const settle = async (most: number) => {
    startWorkers();
    while (workers.size > 0 && (waiting.length > most || most === 0)) {
      await Promise.race(workers);
      if (failure === null) startWorkers();
    }
    if (failure !== null) throw failure.error;
  };

  return {
    async add({ files, directories }) {
      for (const path of files) waiting.push({ path, directory: false });
      for (const path of directories) waiting.push({ path, directory: true });
      await settle(WAITING_MAX);
    },
    drain: () => settle(0),
  };
}

/** With callbacks: a promise and a FileHandle a file cost more than the fsync of a small one. */
function syncFile(path: string): Promise<void> {
  const windows = process.platform === 'win32';
  return new Promise((resolve, reject) => {
    // Windows makes durable only what may be written; there the file is closed to writers afterwards.
    open(path, windows ? 'r+' : 'r', (failed, fd) => {
      if (failed !== null) return reject(failed);
      fsync(fd, (unsynced) => {
        close(fd, (unclosed) => {
          const error = unsynced ?? unclosed;
          if (error != null) return reject(error);
          resolve(windows ? chmod(path, 0o444) : undefined);
        });
      });
    });
  });
}
