import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
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
import type { ConsoleDatabase } from './database.ts';

/** Which stream of which attempt of which run of which agent. */
export interface LogStream {
  readonly agent_id: string;
  readonly run_id: string;
  readonly attempt: number;
  readonly stream: 'stdout' | 'stderr';
}

export interface LogRow {
  readonly run_id: string;
  readonly attempt: number;
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: number;
  readonly updated_at: string;
}

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
  append(stream: LogStream, offset: number, data: Uint8Array, at: Date, logStreamBytes: number): Appended;
  /** The streams of runs of which no report has come yet, latest first. */
  unfinished(agentId: string, limit: number): (LogRow & { offset: number })[];
  list(agentId: string, runId: string): LogRow[];
  /** Open for reading; null when there is nothing of it. The caller closes it. */
  open(stream: LogStream): Promise<FileHandle | null>;
  /** Notes the sizes of what was written since, and drops the oldest streams beyond the bounds; how many went. */
  settle(limits: LogLimits): number;
}

/** What runs print while they go on: a file a stream in `root`, written at its end only (contract, section 8). */
export function createRunLogStore(database: ConsoleDatabase, root: string): RunLogStore {
  const { sql } = database;
  /** Streams written since the last `settle`: their size, and when. */
  const written = new Map<string, { readonly stream: LogStream; bytes: number; at: Date }>();
  /** Bytes of all rows, kept up to date by what is noted and dropped: adding up millions of rows takes seconds. */
  let total: number | null = null;
  const addUp = () =>
    (sql.prepare('SELECT coalesce(sum(bytes), 0) AS n FROM run_logs').get() as { n: number }).n;

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

  /** By how many bytes the rows have grown. */
  const noteSizes = (): number => {
    const where = 'WHERE agent_id = ? AND run_id = ? AND attempt = ? AND stream = ?';
    const before = sql.prepare(`SELECT bytes FROM run_logs ${where}`);
    const update = sql.prepare(`UPDATE run_logs SET bytes = ?, updated_at = ? ${where}`);
    let grown = 0;
    database.transaction(() => {
      for (const { stream, bytes, at } of written.values()) {
        const key = [stream.agent_id, stream.run_id, stream.attempt, stream.stream];
        const row = before.get(...key) as { bytes: number } | undefined;
        if (row === undefined) continue;
        update.run(bytes, at.toISOString(), ...key);
        grown += bytes - row.bytes;
      }
    });
    return grown;
  };

  /** The row first: a file without one would never be pruned. */
  const begin = (stream: LogStream, file: string, at: Date): number => {
    sql
      .prepare(
        'INSERT INTO run_logs (agent_id, run_id, attempt, stream, bytes, updated_at) VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT DO NOTHING',
      )
      .run(stream.agent_id, stream.run_id, stream.attempt, stream.stream, at.toISOString());
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    return openSync(file, 'a', 0o600);
  };

  const drop = (rows: readonly (LogRow & { agent_id: string })[]) => {
    if (rows.length === 0) return;
    const remove = sql.prepare(
      'DELETE FROM run_logs WHERE agent_id = ? AND run_id = ? AND attempt = ? AND stream = ?',
    );
    database.transaction(() => {
      for (const row of rows) {
        const file = fileOf(root, row);
        rmSync(file, { force: true });
        for (const folder of [dirname(file), dirname(dirname(file))]) removeIfEmpty(folder);
        remove.run(row.agent_id, row.run_id, row.attempt, row.stream);
      }
    });
  };

  /** Of one agent, the oldest streams after the newest that fit. */
  const beyond = (agentId: string, bytes: number, count: number) =>
    sql
      .prepare(
        `SELECT agent_id, run_id, attempt, stream, bytes, updated_at FROM (
           SELECT *, sum(bytes) OVER newest AS total, row_number() OVER newest AS place FROM run_logs WHERE agent_id = ?
           WINDOW newest AS (ORDER BY updated_at DESC, run_id DESC, attempt DESC, stream))
         WHERE (total > ? AND place > 1) OR place > ?`,
      )
      .all(agentId, bytes, count) as unknown as (LogRow & { agent_id: string })[];

  /** As many of the oldest streams of all as have so many bytes together, by the index on their age. */
  const oldest = (bytes: number) => {
    const rows: (LogRow & { agent_id: string })[] = [];
    let freed = 0;
    const byAge = sql
      .prepare(
        'SELECT agent_id, run_id, attempt, stream, bytes, updated_at FROM run_logs ORDER BY updated_at, agent_id, run_id, attempt, stream',
      )
      .iterate() as unknown as Iterable<LogRow & { agent_id: string }>;
    for (const row of byAge) {
      if (freed >= bytes) break;
      freed += row.bytes;
      rows.push(row);
    }
    return rows;
  };

  return {
    append(stream, offset, data, at, logStreamBytes) {
      const file = fileOf(root, stream);
      // A stream begins with its first byte: one that stays empty would be bounded by nothing.
      const isFirst = offset === 0 && data.byteLength > 0;
      const fd = openExisting(file) ?? (isFirst ? begin(stream, file, at) : null);
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
    unfinished: (agentId, limit) =>
      (
        sql
          .prepare(
            `SELECT run_id, attempt, stream, bytes, updated_at FROM run_logs
             WHERE agent_id = :agent
               AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.run_id = run_logs.run_id AND runs.agent_id = :agent)
             ORDER BY updated_at DESC LIMIT :limit`,
          )
          .all({ agent: agentId, limit }) as unknown as LogRow[]
      ).map((row) => ({ ...row, offset: sizeOf(fileOf(root, { ...row, agent_id: agentId })) })),
    list: (agentId, runId) =>
      (
        sql
          .prepare(
            'SELECT run_id, attempt, stream, bytes, updated_at FROM run_logs WHERE agent_id = ? AND run_id = ? ORDER BY attempt, stream DESC',
          )
          .all(agentId, runId) as unknown as LogRow[]
      ).map((row) => ({ ...row, bytes: sizeOf(fileOf(root, { ...row, agent_id: agentId })) })),
    async open(stream) {
      try {
        return await open(fileOf(root, stream), 'r');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    settle({ keepAgentLogBytes, keepAgentLogStreams, keepLogBytes }) {
      if (written.size === 0 && total !== null) return 0;
      const grown = noteSizes();
      const agents = new Set([...written.values()].map(({ stream }) => stream.agent_id));
      written.clear();
      total = total === null ? addUp() : total + grown;
      const gone = [...agents].flatMap((agentId) => beyond(agentId, keepAgentLogBytes, keepAgentLogStreams));
      drop(gone);
      total -= gone.reduce((sum, { bytes }) => sum + bytes, 0);
      if (total <= keepLogBytes) return gone.length;
      const old = oldest(total - Math.floor(keepLogBytes * 0.9));
      drop(old);
      // Once in a while, so that what went unheard (a drop that failed halfway) is made good.
      total = addUp();
      return gone.length + old.length;
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
