import type { Clock } from '../reconciler/ports.ts';
import { noteUse } from './environment-folder.ts';

/** More often than use has to be noted for nobody to collect it. */
const NOTE_EVERY_MS = 3_600_000;

/** What processes run in now. A service is started once and runs for months. */
export interface FolderHolds {
  /** From now until the function it gives is called. Its use is noted each hour meanwhile: other processes collect too. */
  hold(folder: string): () => void;
  has(folder: string): boolean;
}

export function createFolderHolds(clock: Clock): FolderHolds {
  const held = new Map<string, { holders: number; readonly over: AbortController }>();

  const noteHourly = async (folder: string, over: AbortSignal) => {
    while (!over.aborted) {
      await clock.sleep(NOTE_EVERY_MS, over).catch(() => undefined);
      await noteUse(folder, clock.now());
    }
  };

  return {
    hold(folder) {
      const entry = held.get(folder) ?? { holders: 0, over: new AbortController() };
      held.set(folder, entry);
      if (entry.holders === 0) void noteHourly(folder, entry.over.signal);
      entry.holders += 1;
      let released = false;
      return () => {
        if (released) return;
        released = true;
        entry.holders -= 1;
        if (entry.holders > 0) return;
        held.delete(folder);
        entry.over.abort();
      };
    },
    has: (folder) => held.has(folder),
  };
}
