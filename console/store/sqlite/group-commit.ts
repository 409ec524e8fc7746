import type { DatabaseSync } from 'node:sqlite';
import { StoreBusy } from '../busy.ts';
import { StoreUnwritable } from '../unwritable.ts';

/** The low byte of every extended code (https://sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
const [SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL] = [8, 10, 13];
const FIRST_RETRY_MS = 2;
const LAST_RETRY_MS = 40;

export interface GroupCommitOptions {
  /** How long to gather after a commit that took `commitMs`. Nothing is waited for when the last commit is longer ago. */
  readonly windowMs: (commitMs: number) => number;
  /** A batch ends after so many works, or after so long: nothing else of this process runs meanwhile. */
  readonly batchWorks: number;
  readonly batchMs: number;
  /** Works waiting at most; beyond them `StoreBusy`. */
  readonly waitingWorks: number;
  /** How long another process may hold the lock before the works that wait for it are given up. */
  readonly lockPatienceMs: number;
  /** The busy timeout of the connection, for what does not go through here; and how long closing waits for the lock. */
  readonly blockingMs: number;
  readonly nowMs: () => number;
}

export const GROUP_COMMIT: GroupCommitOptions = {
  // A flush to disk then takes a third of the time at most, however slow the disk is, and a lone writer waits for nobody.
  windowMs: (commitMs) => Math.min(20, 2 * commitMs),
  batchWorks: 1_000,
  batchMs: 25,
  waitingWorks: 20_000,
  lockPatienceMs: 10_000,
  blockingMs: 10_000,
  nowMs: () => performance.now(),
};

export interface GroupCommit {
  /**
   * Runs `work` (synchronous; it touches the database and nothing else) in its turn. Resolves when what it wrote is on the disk.
   * What it throws takes back that work alone and is what the promise is rejected with. Rejected with
   * `StoreUnwritable` when the disk did not take the batch, with `StoreBusy` when it had to wait for too long.
   */
  write<T>(work: () => T): Promise<T>;
  /** Writes what waits, at once, and takes no more. */
  close(): void;
}

interface Waiting {
  /** Returns what to do when the work is on the disk. */
  perform(): () => void;
  reject(error: unknown): void;
}

type Begun = { readonly kind: 'begun' } | { readonly kind: 'locked' | 'failed'; readonly error: unknown };

/**
 * Many writes, one transaction, one flush to the disk: what makes a thousand reports a second possible when each must survive a
 * power cut before it is answered. Works run in order of arrival, each in a savepoint of its own. While another process has the
 * lock, it is asked for again from time to time, so that this one can answer what needs no write.
 */
export function createGroupCommit(sql: DatabaseSync, options: GroupCommitOptions): GroupCommit {
  const { nowMs } = options;
  const statements = {
    begin: sql.prepare('BEGIN IMMEDIATE'),
    commit: sql.prepare('COMMIT'),
    rollback: sql.prepare('ROLLBACK'),
    savepoint: sql.prepare('SAVEPOINT work'),
    release: sql.prepare('RELEASE work'),
    undo: sql.prepare('ROLLBACK TO work'),
  };
  const waiting: Waiting[] = [];
  let isScheduled = false;
  let isClosed = false;
  let gatherUntil = Number.NEGATIVE_INFINITY;
  let lockedSince: number | null = null;
  let retryMs = FIRST_RETRY_MS;

  const begin = (patienceMs: number): Begun => {
    sql.exec(`PRAGMA busy_timeout = ${patienceMs}`);
    try {
      statements.begin.run();
      return { kind: 'begun' };
    } catch (error) {
      return { kind: isLocked(error) ? 'locked' : 'failed', error };
    } finally {
      sql.exec(`PRAGMA busy_timeout = ${options.blockingMs}`);
    }
  };

  /** What tells the asker that it is written; null when it was taken back alone. Throws when the whole transaction is gone. */
  const perform = (work: Waiting): (() => void) | null => {
    statements.savepoint.run();
    try {
      const settle = work.perform();
      statements.release.run();
      return settle;
    } catch (error) {
      // A full or failing disk ends the transaction by itself (https://sqlite.org/lang_transaction.html, section 3).
      if (!sql.isTransaction) throw error;
      statements.undo.run();
      statements.release.run();
      work.reject(faultOf(error));
      return null;
    }
  };

  /** Within a transaction that has begun; ends it. */
  const runBatch = (): void => {
    const batch = waiting.splice(0, options.batchWorks);
    const settles: (() => void)[] = [];
    try {
      const until = nowMs() + options.batchMs;
      for (const [index, work] of batch.entries()) {
        if (index > 0 && nowMs() >= until) {
          waiting.unshift(...batch.splice(index));
          break;
        }
        const settle = perform(work);
        if (settle !== null) settles.push(settle);
      }
      const began = nowMs();
      statements.commit.run();
      const ended = nowMs();
      gatherUntil = ended + options.windowMs(ended - began);
    } catch (error) {
      if (sql.isTransaction) statements.rollback.run();
      for (const work of batch) work.reject(faultOf(error));
      return;
    }
    for (const settle of settles) settle();
  };

  const giveUp = (error: unknown): void => {
    for (const work of waiting.splice(0)) work.reject(faultOf(error));
  };

  const flush = (): void => {
    isScheduled = false;
    if (waiting.length === 0) return;
    const begun = begin(0);
    if (begun.kind === 'locked') {
      const since = (lockedSince ??= nowMs());
      if (nowMs() - since < options.lockPatienceMs) {
        schedule(retryMs);
        retryMs = Math.min(LAST_RETRY_MS, 2 * retryMs);
        return;
      }
    }
    lockedSince = null;
    retryMs = FIRST_RETRY_MS;
    if (begun.kind === 'begun') runBatch();
    else giveUp(begun.kind === 'locked' ? lockedOut(options.lockPatienceMs, begun.error) : begun.error);
    if (waiting.length > 0) schedule(gatherUntil - nowMs());
  };

  const schedule = (inMs: number): void => {
    if (isScheduled) return;
    isScheduled = true;
    // Even at once is after what else has arrived by now.
    if (inMs > 0) setTimeout(flush, inMs);
    else setImmediate(flush);
  };

  return {
    write<T>(work: () => T): Promise<T> {
      if (isClosed) return Promise.reject(new Error('expected an open database, found it closed'));
      if (waiting.length >= options.waitingWorks) {
        const message = `expected at most ${options.waitingWorks} writes to wait, found more; try again in a moment`;
        return Promise.reject(new StoreBusy('overloaded', message));
      }
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      waiting.push({
        perform() {
          const result = work();
          if (result instanceof Promise) throw new Error('expected a synchronous work, found a promise');
          return () => resolve(result);
        },
        reject,
      });
      schedule(gatherUntil - nowMs());
      return promise;
    },
    close() {
      isClosed = true;
      while (waiting.length > 0) {
        const begun = begin(options.blockingMs);
        if (begun.kind === 'begun') runBatch();
        else giveUp(begun.kind === 'locked' ? lockedOut(options.blockingMs, begun.error) : begun.error);
      }
    },
  };
}

function isLocked(error: unknown): boolean {
  return codeOf(error) === SQLITE_BUSY;
}

function codeOf(error: unknown): number | null {
  const { errcode } = (error ?? {}) as { errcode?: unknown };
  return typeof errcode === 'number' ? errcode & 0xff : null;
}

/** What the disk is at fault for is told apart from what a work did wrong. */
function faultOf(cause: unknown): unknown {
  switch (codeOf(cause)) {
    case SQLITE_FULL: {
      const message = 'expected room on the disk of the database, found it full; make room, then try again';
      return new StoreUnwritable('full', message, { cause });
    }
    case SQLITE_READONLY:
    case SQLITE_IOERR: {
      const message = `expected to write to the database, found that its disk takes nothing (${(cause as Error).message}); look at the disk and who may write, then try again`;
      return new StoreUnwritable('read_only', message, { cause });
    }
    default:
      return cause;
  }
}

function lockedOut(patienceMs: number, cause: unknown): StoreBusy {
  const message = `expected to write within ${patienceMs / 1_000} s, found the database in the hands of another process; try again in a moment`;
  return new StoreBusy('locked', message, { cause });
}
