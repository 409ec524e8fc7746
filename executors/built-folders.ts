import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Clock, EventSink, Setback } from '../reconciler/ports.ts';
import { COMPLETE_FILE } from '../schemas/environment-mark.ts';
import { isDiskFull } from '../system/disk-full-error.ts';
import { completeFolder, isIntact, noteUse, readMark, removeFolder } from './environment-folder.ts';
import { lockFile } from './file-lock.ts';
import { createFolderHolds } from './folder-holds.ts';
import { endLeftInstaller } from './installer-process.ts';

/** Whose version a folder is built for, for events. */
export interface BuildReason {
  readonly flow: string;
  readonly version: string;
  readonly because: string;
}

/** Where a build works. */
export interface BuildPlace {
  /** The folder itself, which does not exist yet. */
  readonly folder: string;
  /** An empty folder, 0700, that is gone afterwards. */
  readonly temporary: string;
  /** For `runInstaller`. */
  readonly mark: string;
}

/** What was built, for people. */
export type Built = { readonly kind: 'built'; readonly contents: string; readonly neededBy: string };

/** Folders in `.agent/envs/` that take long to build, are shared, and never change. */
export interface BuiltFolders {
  /** The folder of that name, whole: as it is, or built now by `build`, once whoever asks, in any process. */
  obtain(
    name: string,
    build: (place: BuildPlace) => Promise<Built | Setback>,
    reason: BuildReason,
    signal: AbortSignal,
  ): Promise<{ kind: 'ready'; folder: string } | Setback>;
  /** The first whole one whose name begins so. */
  find(prefix: string): Promise<string | null>;
  /** One of them is in use until the function it gives is called: it is not collected. */
  hold(folder: string): () => void;
  /** Their names, whole or not. */
  names(prefix: string): Promise<string[]>;
  /** Removes what an earlier life left half-built. Before anything else, under the state directory's lock. */
  recover(): Promise<number>;
  /**
   * Removes what is not in use and was not for a day, but what is to be kept: by its name, or, for 30 days, by what asks for it (another
   * interpreter built it: that of a person's shell, or the one before an update). With `dryRun` only says which.
   */
  collect(
    keep: { readonly names: ReadonlySet<string>; readonly neededBy: ReadonlySet<string> },
    options: { dryRun: boolean; signal: AbortSignal },
  ): Promise<RemovedFolder[]>;
}

export interface RemovedFolder {
  readonly name: string;
  readonly bytes: number;
}

export interface BuiltFoldersDependencies {
  /** `<state>/envs`. */
  readonly folder: string;
  readonly clock: Clock;
  /** The agent's own environment. */
  readonly environment: NodeJS.ProcessEnv;
  readonly events: EventSink | null;
}

const UNUSED_MS = 86_400_000;
const STILL_NEEDED_MS = 30 * UNUSED_MS;
/** Since the last time its use was noted. */
const NOTE_USE_MS = 3_600_000;

/**
 * Built in place (a virtual environment cannot be moved), under a lock for each, `.complete` last, read-only afterwards;
 * what is not as it was built is built again. `kind` says in sentences what it is, `pattern` what its names look like.
 */
export function createBuiltFolders(
  deps: BuiltFoldersDependencies,
  { kind, pattern }: { kind: string; pattern: RegExp },
): BuiltFolders {
  const { folder: root, clock, events } = deps;
  const holds = createFolderHolds(clock);

  const whole = async (folder: string): Promise<'whole' | 'changed' | 'absent'> => {
    const mark = await readMark(folder);
    if (mark === null) return 'absent';
    if (!(await isIntact(folder, mark))) return 'changed';
    const now = clock.now();
    const used = await stat(join(folder, COMPLETE_FILE)).catch(() => null);
    if (used !== null && now.getTime() - used.mtimeMs > NOTE_USE_MS) await noteUse(folder, now);
    return 'whole';
  };

  const buildNow = async (
    name: string,
    build: (place: BuildPlace) => Promise<Built | Setback>,
    { because, ...at }: BuildReason,
  ): Promise<{ kind: 'ready'; folder: string } | Setback> => {
    const place: BuildPlace = {
      folder: join(root, name),
      temporary: join(root, `${name}.tmp`),
      mark: installerMark(root, name),
    };
    const clear = async () =>
      (await Promise.all([removeFolder(place.folder), removeFolder(place.temporary)])).every(Boolean);
    // Of an earlier life, whose installer may still be at work in the same folder.
    if (await exists(place.temporary)) await endLeftInstaller(place.mark);
    if (!(await clear())) {
      const message = `expected to empty ${place.folder} and its .tmp, found files in it that their owner cannot remove: end what writes there`;
      return { kind: 'retry', code: 'environment_failed', message };
    }
    const started = clock.monotonicMs();
    let done = false;
    try {
      await mkdir(place.temporary, { mode: 0o700 });
      const outcome = await build(place);
      if (outcome.kind !== 'built') return outcome;
      const { contents, neededBy } = outcome;
      const about = { name, contents, needed_by: neededBy, built_at: clock.now().toISOString() };
      const { bytes } = await completeFolder(place.folder, about);
      done = true;
      const seconds = ((clock.monotonicMs() - started) / 1_000).toFixed(1);
      const message = `the ${kind} ${name} is built in ${seconds} s: ${contents}, ${bytes} bytes`;
      events?.emit({ severity: 'info', reason: 'EnvironmentBuilt', message, because, ...at });
      return { kind: 'ready', folder: place.folder };
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      const message = `${place.folder}: expected room for the ${kind}, found none`;
      return { kind: 'retry', code: 'disk_full', message };
    } finally {
      if (done) await removeFolder(place.temporary);
      else await clear();
    }
  };

  return {
    async obtain(name, build, reason, signal) {
      await mkdir(root, { recursive: true, mode: 0o755 });
      // Whatever the umask: flows may run as another account.
      await chmod(root, 0o755);
      const folder = join(root, name);
      const release = await lockFile(join(root, `${name}.lock`), { wait: true, signal });
      try {
        const state = await whole(folder);
        if (state === 'whole') return { kind: 'ready', folder };
        if (state === 'changed') {
          const { flow, version } = reason;
          const message = `the ${kind} ${name} is not as it was built: it is built again`;
          events?.emit({ severity: 'warning', reason: 'DriftDetected', message, flow, version });
        }
        return await buildNow(name, build, reason);
      } finally {
        release?.();
      }
    },

    async find(prefix) {
      for (const name of await named(prefix)) {
        const folder = join(root, name);
        if ((await whole(folder)) === 'whole') return folder;
      }
      return null;
    },

    hold: (folder) => holds.hold(folder),

    names: (prefix) => named(prefix),

    async recover() {
      let removed = 0;
      for (const entry of await readdir(root).catch(() => [])) {
        const name = entry.replace(/\.(?:lock|tmp)$/, '');
        if (!pattern.test(name)) continue;
        // Only now, when nobody can hold one: a lock file that is removed while others wait for it would be two.
        if (entry.endsWith('.lock')) await rm(join(root, entry), { force: true });
        if (name !== entry || (await readMark(join(root, name))) !== null) continue;
        await endLeftInstaller(installerMark(root, name));
        await removeFolder(join(root, name));
        await removeFolder(join(root, `${name}.tmp`));
        removed += 1;
      }
      return removed;
    },

    async collect(keep, { dryRun, signal }) {
      const removed: RemovedFolder[] = [];
      for (const name of await named('')) {
        const folder = join(root, name);
        if (keep.names.has(name) || holds.has(folder)) continue;
        const used = await stat(join(folder, COMPLETE_FILE)).catch(() => null);
        const mark = await readMark(folder);
        if (used === null || mark === null) continue;
        const limit = keep.neededBy.has(mark.needed_by) ? STILL_NEEDED_MS : UNUSED_MS;
        if (clock.now().getTime() - used.mtimeMs < limit) continue;
        const { bytes } = mark;
        const release = dryRun ? null : await lockFile(join(root, `${name}.lock`), { wait: false, signal });
        // Somebody is about to use it.
        if (!dryRun && release === null) continue;
        if (release !== null) {
          const gone = await removeFolder(folder).finally(release);
          // Not whole any more: the next start of the agent tries once more.
          if (!gone) continue;
          const message = `the ${kind} ${name} (${bytes} bytes) is removed`;
          const because =
            limit === UNUSED_MS
              ? 'no version that is kept needs it, and it was not used for a day'
              : 'another has taken its place, and it was not used for 30 days';
          events?.emit({ severity: 'info', reason: 'EnvironmentPruned', message, because });
        }
        removed.push({ name, bytes });
      }
      return removed;
    },
  };

  async function named(prefix: string): Promise<string[]> {
    const found = await readdir(root).catch(() => []);
    return found.filter((name) => pattern.test(name) && name.startsWith(prefix)).sort();
  }
}

/** Of this folder alone: the same name is built by every agent of the machine. Deterministic: a next life finds what it left. */
export function installerMark(root: string, name: string): string {
  return `environment-${name}-${createHash('sha256').update(resolve(root)).digest('hex').slice(0, 16)}`;
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
