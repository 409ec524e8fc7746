import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree } from '../executors/folder-removal.ts';
import type { RunOutputReader } from '../reconciler/ports.ts';
import { openRunLog } from './run-log-file.ts';

const CHUNK_BYTES = 64 * 1024;

export type OutputStream = 'stdout' | 'stderr';

export interface OutputChunk {
  readonly attempt: number;
  readonly stream: OutputStream;
  readonly offset: number;
  readonly data: Uint8Array;
}

/** The folders `runs/<run_id>/<attempt>` of the state directory, as they are read back. */
export interface RunFiles {
  directory(runId: string, attempt: number): string;
  /** What an attempt printed, as far as it was kept. */
  output(runId: string, attempt: number): Promise<{ stdout: Uint8Array; stderr: Uint8Array }>;
  /** At most `limit` bytes (a chunk of 64 KiB) of a stream from `offset`; empty when there is no more yet. */
  chunk(
    runId: string,
    attempt: number,
    stream: OutputStream,
    offset: number,
    limit?: number,
  ): Promise<Uint8Array>;
  /** Removes folders that were last written before `before` and are not in `keep`; how many. */
  prune(before: Date, keep: ReadonlySet<string>, dryRun: boolean): Promise<number>;
}

export function createRunFiles(runs: string, maxOutput: () => number): RunFiles {
  const directory = (runId: string, attempt: number) => join(runs, runId, String(attempt));
  const file = (runId: string, attempt: number, stream: OutputStream) =>
    join(directory(runId, attempt), `${stream}.log`);
  return {
    directory,
    async output(runId, attempt) {
      const read = (stream: OutputStream) => readPart(file(runId, attempt, stream), 0, maxOutput());
      const [stdout, stderr] = await Promise.all([read('stdout'), read('stderr')]);
      return { stdout, stderr };
    },
    chunk: (runId, attempt, stream, offset, limit = CHUNK_BYTES) =>
      readPart(file(runId, attempt, stream), offset, Math.min(limit, CHUNK_BYTES)),
    async prune(before, keep, dryRun) {
      let removed = 0;
      for (const name of await readdir(runs).catch(() => [])) {
        const path = join(runs, name);
        if (keep.has(name) || (await lstat(path)).mtimeMs >= before.getTime()) continue;
        // What is left of one is for the next time.
        if (dryRun || (await removeTree(path))) removed += 1;
      }
      return removed;
    },
  };
}

/** For what is sent while a run goes on: what is on disk is redacted and cut already. */
export function createRunOutputReader(files: Pick<RunFiles, 'chunk'>): RunOutputReader {
  return {
    read: ({ run_id, attempt, stream, offset }, limit) => files.chunk(run_id, attempt, stream, offset, limit),
  };
}

async function readPart(path: string, offset: number, max: number): Promise<Uint8Array> {
  const file = await openRunLog(path);
  if (file === null) return new Uint8Array();
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(max, Math.max(0, size - offset)));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
