import { syncDirectory } from '../system/atomic-file.ts';

/** Makes the entries of a folder durable. */
export type DirectorySync = (path: string) => Promise<void>;

/**
 * `syncDirectory` for many at once: those who ask while one fsync of a folder is under way share the next one, which begins
 * after all of their changes.
 */
export function createDirectorySync(): DirectorySync {
  const running = new Map<string, Promise<void>>();
  const next = new Map<string, Promise<void>>();

  const start = (path: string): Promise<void> => {
    const sync: Promise<void> = syncDirectory(path).finally(() => {
      if (running.get(path) === sync) running.delete(path);
    });
    running.set(path, sync);
    return sync;
  };
  return (path) => {
    const before = running.get(path);
    if (before === undefined) return start(path);
    let shared = next.get(path);
    if (shared === undefined) {
      shared = before
        .catch(() => undefined)
        .then(() => {
          next.delete(path);
          return start(path);
        });
      next.set(path, shared);
    }
    return shared;
  };
}
