import { realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { watch } from 'chokidar';
import {
  type ConfigOutcome,
  type InvalidConfig,
  type LoadedConfig,
  loadConfigFile,
  type MissingConfig,
} from './config-file.ts';

const DEBOUNCE_MS = 200;
/** Network file systems and swapped folder links send no event: a look at the file's stamp finds those. */
const LOOK_EVERY_MS = 5_000;

export interface ConfigWatchOptions {
  /** A configuration that is valid and not the one last told. */
  onChange(loaded: LoadedConfig): void;
  /** A configuration that is wrong, or gone; the last good one stays in force. */
  onInvalid(outcome: InvalidConfig | MissingConfig): void;
  readonly signal: AbortSignal;
  /** Digest of the configuration in force; identical bytes are no event. */
  readonly known: string | null;
  /** Default 200: editors write in several steps. */
  readonly debounceMs?: number;
  /** Default 5000. */
  readonly lookEveryMs?: number;
}

/**
 * Watches `agent.yaml` until the signal aborts. The folder is watched, not the file: editors replace files by renaming, and a
 * link's target lies elsewhere. Resolves when watching has begun, after a first look at what changed before.
 */
export async function watchConfigFile(path: string, options: ConfigWatchOptions): Promise<void> {
  const { signal } = options;
  const debounceMs = options.debounceMs ?? DEBOUNCE_MS;
  let told = options.known ?? 'none';
  let timer: NodeJS.Timeout | undefined;
  let checking = Promise.resolve();
  let stamp = '';

  const check = async () => {
    stamp = await stampOf(path);
    let outcome = await loadConfigFile(path);
    if (outcome.kind === 'missing') {
      // Between the two renames of an editor there is no file.
      await new Promise((done) => setTimeout(done, debounceMs));
      outcome = await loadConfigFile(path);
    }
    const state = stateOf(outcome);
    if (signal.aborted || state === told) return;
    told = state;
    if (outcome.kind === 'valid') options.onChange(outcome);
    else options.onInvalid(outcome);
  };
  const lookAgain = async () => {
    if ((await stampOf(path)) !== stamp) soon();
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      checking = checking.then(check);
    }, debounceMs);
  };

  const absolute = resolve(path);
  const target = await realpath(absolute).catch(() => absolute);
  const files = new Set([absolute, target]);
  const folders = new Set([dirname(absolute), dirname(target)]);
  const watcher = watch([...folders], {
    depth: 0,
    ignoreInitial: true,
    followSymlinks: false,
    ignored: (entry) => !folders.has(resolve(entry)) && !files.has(resolve(entry)),
  });
  watcher.on('all', soon);
  // What the watcher cannot see (no such folder, too many watches) the regular look does.
  watcher.on('error', soon);
  const look = setInterval(() => {
    void lookAgain();
  }, options.lookEveryMs ?? LOOK_EVERY_MS);
  look.unref();
  const stop = () => {
    clearTimeout(timer);
    clearInterval(look);
    void watcher.close();
  };
  if (signal.aborted) return stop();
  signal.addEventListener('abort', stop, { once: true });
  await new Promise<void>((ready) => {
    watcher.once('ready', ready);
    signal.addEventListener('abort', () => ready(), { once: true });
  });
  await check();
}

function stateOf(outcome: ConfigOutcome): string {
  return outcome.kind === 'missing' ? 'missing' : (outcome.digest ?? (outcome as InvalidConfig).text);
}

async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path);
    const { mode, uid } = await stat(dirname(path));
    return [ino, size, mtimeMs, ctimeMs, mode, uid].join();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}
