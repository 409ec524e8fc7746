import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LogRow, LogRows, LogStream, OwnedLogRow } from './store/ports/log-rows.ts';

export interface LogLimits {
  readonly keepAgentLogBytes: number;
  readonly keepAgentLogStreams: number;
  readonly keepLogBytes: number;
}

export type Appended =
  /** `next`: where the agent goes on. `added`: bytes that were new and kept. */
  | { readonly kind: 'taken'; readonly next: number; readonly added: number }
  /** There is nothing here yet of what comes before `offset`: the agent has to seek to `next`. */
  | { readonly kind: 'gap'; readonly next: number };

export interface RunLogStore {
  /**
   * Keeps what is new of `data`, which begins at `offset` of the stream. What is there already is not written again. Past
   * `logStreamBytes` bytes are taken and dropped, so that the agent is not stuck. The bytes are in the file, not yet on the
   * disk: after a power cut the next acknowledgement is lower and the agent, who still has them, seeks back.
   */
  append(
    stream: LogStream,
    offset: number,
    data: Uint8Array,
    at: Date,
    logStreamBytes: number,
  ): Promise<Appended>;
  /** The streams of runs of which no report has come yet, latest first. */
  unfinished(agentId: string, limit: number): Promise<(LogRow & { offset: number })[]>;
  list(agentId: string, runId: string): Promise<LogRow[]>;
  /** Open for reading; null when there is nothing of it. The caller closes it. */
  open(stream: LogStream): Promise<FileHandle | null>;
  /** Notes the sizes of what was written since, and drops the oldest streams beyond the bounds; how many went. */
  settle(limits: LogLimits): Promise<number>;
}

/** What runs print while they go on: a file a stream in `root`, written at its end only (contract, section 8). */
export function createRunLogStore(rows: LogRows, root: string): RunLogStore {
  /** Streams written since the last `settle`: their size, and when. */
  const written = new Map<string, { readonly stream: LogStream; bytes: number; at: Date }>();
  /** Streams that are going: what comes of one meanwhile begins anew afterwards. */
  const going = new Map<string, Promise<void>>();
  /** Bytes of all rows, kept up to date by what is noted and dropped: adding up millions of rows takes seconds. */
  let total: number | null = null;

  const touch = (stream: LogStream, bytes: number, at: Date) => {
    const key = keyOf(stream);
    const known = written.get(key);
    if (known !== undefined) {
      known.bytes = bytes;
      known.at = at;
      return;
    }
    written.set(key, { stream, bytes, at });
  };

  /** By how many bytes the rows have grown, and whose. */
  const noteSizes = async (): Promise<{ grown: number; agents: ReadonlySet<string> }> => {
    const noted = new Map(written);
    written.clear();
    try {
      const grown = await rows.note([...noted.values()]);
      return { grown, agents: new Set([...noted.values()].map(({ stream }) => stream.agent_id)) };
    } catch (error) {
      for (const [key, entry] of noted) if (!written.has(key)) written.set(key, entry);
      throw error;
    }
  };

  /** The files first: one without a row would never be found again. */
  const remove = async (streams: readonly OwnedLogRow[]): Promise<void> => {
    for (const stream of streams) {
      const file = fileOf(root, stream);
      rmSync(file, { force: true });
      for (const folder of [dirname(file), dirname(dirname(file))]) removeIfEmpty(folder);
    }
    await rows.forget(streams);
  };

  const drop = async (streams: readonly OwnedLogRow[]): Promise<void> => {
    if (streams.length === 0) return;
    const gone = remove(streams);
    const settled = gone.catch(() => {});
    for (const stream of streams) going.set(keyOf(stream), settled);
    try {
      await gone;
    } finally {
      for (const stream of streams) going.delete(keyOf(stream));
    }
  };

  const settle = async ({ keepAgentLogBytes, keepAgentLogStreams, keepLogBytes }: LogLimits) => {
    if (written.size === 0 && total !== null) return 0;
    const { grown, agents } = await noteSizes();
    total = total === null ? await rows.totalBytes() : total + grown;
    const gone: OwnedLogRow[] = [];
    for (const agentId of agents) {
      gone.push(...(await rows.beyond(agentId, keepAgentLogBytes, keepAgentLogStreams)));
    }
    await drop(gone);
    total -= gone.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total <= keepLogBytes) return gone.length;
    const old = await rows.oldest(total - Math.floor(keepLogBytes * 0.9));
    await drop(old);
    // Once in a while, so that what went unheard (a drop that failed halfway) is made good.
    total = await rows.totalBytes();
    return gone.length + old.length;
  };
  /** One after the other: each goes by what the one before has left. */
  let settling: Promise<unknown> = Promise.resolve();

  /** The row first: a file without one would never be pruned. */
  const begin = async (stream: LogStream, file: string, at: Date): Promise<void> => {
    await rows.begin(stream, at);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    closeSync(openSync(file, 'a', 0o600));
  };

  return {
    async append(stream, offset, data, at, logStreamBytes) {
      const file = fileOf(root, stream);
      for (let gone = going.get(keyOf(stream)); gone !== undefined; gone = going.get(keyOf(stream)))
        await gone;
      // A stream begins with its first byte: one that stays empty would be bounded by nothing.
      const isFirst = offset === 0 && data.byteLength > 0;
      if (isFirst && !existsSync(file)) await begin(stream, file, at);
      // From the look at its size to the last byte nothing is waited for: two that write at one time would write twice.
      const fd = openExisting(file);
      if (fd === null) return offset === 0 ? { kind: 'taken', next: 0, added: 0 } : { kind: 'gap', next: 0 };
      try {
        const size = fstatSync(fd).size;
        const end = offset + data.byteLength;
        // A full stream has no gaps any more: whatever comes is acknowledged and dropped.
        if (size >= logStreamBytes) return { kind: 'taken', next: Math.max(size, end), added: 0 };
        if (offset > size) return { kind: 'gap', next: size };
        const fresh = data.subarray(size - offset, logStreamBytes - offset);
        if (fresh.byteLength === 0) return { kind: 'taken', next: size, added: 0 };
        let done = 0;
        while (done < fresh.byteLength) done += writeSync(fd, fresh, done);
        touch(stream, size + done, at);
        return { kind: 'taken', next: Math.max(size + done, end), added: done };
      } finally {
        closeSync(fd);
      }
    },
    unfinished: async (agentId, limit) =>
      (await rows.unfinished(agentId, limit)).map((row) => ({
        ...row,
        offset: sizeOf(fileOf(root, { ...row, agent_id: agentId })),
      })),
    list: async (agentId, runId) =>
      (await rows.list(agentId, runId)).map((row) => ({
        ...row,
        bytes: sizeOf(fileOf(root, { ...row, agent_id: agentId })),
      })),
    async open(stream) {
      try {
        return await open(fileOf(root, stream), 'r');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    settle(limits) {
      const settled = settling.then(async () => settle(limits));
      settling = settled.catch(() => {});
      return settled;
    },
  };
}

function keyOf(stream: LogStream): string {
  return `${stream.agent_id}/${stream.run_id}/${stream.attempt}/${stream.stream}`;
}

function fileOf(root: string, stream: LogStream): string {
  return join(root, folderOf(stream.agent_id), folderOf(stream.run_id), `${stream.attempt}.${stream.stream}`);
}

/** Ids may be `..`, or differ by case alone: those are folders by their hash, behind a `~` that no id has. */
function folderOf(id: string): string {
  if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(id)) return id;
  return `~${createHash('sha256').update(id).digest('hex').slice(0, 40)}`;
}

function openExisting(file: string): number | null {
  try {
    return openSync(file, constants.O_WRONLY | constants.O_APPEND);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT' && code !== 'EEXIST') throw error;
  }
}
