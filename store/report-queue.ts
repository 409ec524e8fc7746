import type { QueuedReport, ReportKind, ReportQueue } from '../reconciler/ports.ts';
import type { Database } from './database.ts';

/**
 * The durable queue behind the outbox, in `agent.db`. Adding a key that waits already changes nothing. With `replace` the
 * new body takes the place of every waiting one of its kind; it keeps their wait (a server that is down is not asked more
 * often because the status changes), but not their parking. A body that is replaced while it is on its way has another id, so
 * that `delivered` of the old one leaves the new one there.
 */
export function createReportQueue(database: Database): ReportQueue {
  const { sqlite, transaction } = database;
  const insert = sqlite.prepare(
    `INSERT INTO reports (kind, key, body, created_ms, attempts, next_ms, last_error)
     VALUES (:kind, :key, :body, :at, :attempts, :next, :error) ON CONFLICT (kind, key) DO NOTHING`,
  );
  const selectWait = sqlite.prepare(
    `SELECT attempts, next_ms, last_error FROM reports
     WHERE kind = ? AND parked IS NULL AND attempts > 0 ORDER BY next_ms DESC LIMIT 1`,
  );
  const removeKind = sqlite.prepare('DELETE FROM reports WHERE kind = ?');
  // By the index in order: after an outage nearly all are due, and the first is found at once instead of sorting them all.
  const selectDue = sqlite.prepare(
    `SELECT * FROM reports WHERE id IN (
       SELECT id FROM reports INDEXED BY reports_in_order
       WHERE kind = ? AND parked IS NULL AND next_ms <= ? ORDER BY id LIMIT ?
     ) ORDER BY id`,
  );
  const selectPostponed = sqlite.prepare(
    `SELECT id, key, next_ms FROM reports INDEXED BY reports_in_order
     WHERE kind = ? AND parked IS NULL AND next_ms > ? ORDER BY id`,
  );
  const selectNext = sqlite.prepare(
    'SELECT min(next_ms) AS next FROM reports WHERE kind = ? AND parked IS NULL',
  );
  const remove = sqlite.prepare('DELETE FROM reports WHERE id = ?');
  const postpone = sqlite.prepare(
    'UPDATE reports SET attempts = ?, next_ms = ?, last_error = ? WHERE id = ?',
  );
  const park = sqlite.prepare('UPDATE reports SET parked = ? WHERE id = ?');
  const unpark = sqlite.prepare(
    'UPDATE reports SET parked = NULL, attempts = 0, next_ms = ? WHERE parked IS NOT NULL',
  );
  const hurry = sqlite.prepare('UPDATE reports SET next_ms = min(next_ms, ?) WHERE parked IS NULL');
  const selectAll = sqlite.prepare('SELECT * FROM reports ORDER BY id LIMIT ?');
  const selectOne = sqlite.prepare('SELECT * FROM reports WHERE kind = ? AND key = ?');
  const selectOverview = sqlite.prepare(
    `SELECT id, kind, key, created_ms, attempts, next_ms, last_error, parked FROM reports
     WHERE (:kind IS NULL OR kind = :kind) AND (:parked = 0 OR parked IS NOT NULL) ORDER BY id LIMIT :limit`,
  );
  const selectPending = sqlite.prepare(
    'SELECT count(*) AS pending, min(created_ms) AS oldest FROM reports INDEXED BY reports_in_order WHERE parked IS NULL',
  );
  const selectParked = sqlite.prepare(
    'SELECT count(*) AS parked FROM reports INDEXED BY reports_parked WHERE parked IS NOT NULL',
  );

  return {
    add({ kind, key, body, at, replace = false }) {
      const text = JSON.stringify(body);
      transaction(() => {
        const wait = replace ? selectWait.get(kind) : undefined;
        if (replace) removeKind.run(kind);
        insert.run({
          kind,
          key,
          body: text,
          at: at.getTime(),
          attempts: Number(wait?.['attempts'] ?? 0),
          next: Number(wait?.['next_ms'] ?? at.getTime()),
          error: wait === undefined ? null : (wait['last_error'] ?? null),
        });
      });
    },
    due(kind, now, limit) {
      return selectDue.all(kind, now.getTime(), limit).map(toReport);
    },
    nextDueAt(kind) {
      const next = selectNext.get(kind)?.['next'] ?? null;
      return next === null ? null : new Date(Number(next));
    },
    delivered(id) {
      remove.run(id);
    },
    postpone(id, attempts, until, error) {
      postpone.run(attempts, until.getTime(), error, id);
    },
    park(id, reason) {
      park.run(reason, id);
    },
    unpark(at) {
      return Number(unpark.run(at.getTime()).changes);
    },
    hurry(at) {
      hurry.run(at.getTime());
    },
    list(limit) {
      return selectAll.all(limit).map(toReport);
    },
    together: transaction,
    find(kind, key) {
      const row = selectOne.get(kind, key);
      return row === undefined ? null : toReport(row);
    },
    postponed: (kind, now) =>
      selectPostponed.all(kind, now.getTime()).map((row) => ({
        id: Number(row['id']),
        key: String(row['key']),
        until: new Date(Number(row['next_ms'])),
      })),
    overview({ kind, parkedOnly = false, limit }) {
      return selectOverview.all({ kind: kind ?? null, parked: parkedOnly ? 1 : 0, limit }).map(toOverview);
    },
    totals() {
      const row = selectPending.get();
      const oldest = row?.['oldest'] ?? null;
      return {
        pending: Number(row?.['pending']),
        oldest_at: oldest === null ? null : new Date(Number(oldest)).toISOString(),
        parked: Number(selectParked.get()?.['parked']),
      };
    },
  };
}

function toReport(row: Record<string, unknown>): QueuedReport {
  return { ...toOverview(row), body: JSON.parse(String(row['body'])) };
}

function toOverview(row: Record<string, unknown>): Omit<QueuedReport, 'body'> {
  return {
    id: Number(row['id']),
    kind: String(row['kind']) as ReportKind,
    key: String(row['key']),
    created_at: new Date(Number(row['created_ms'])).toISOString(),
    attempts: Number(row['attempts']),
    next_attempt_at: new Date(Number(row['next_ms'])).toISOString(),
    last_error: textOrNull(row['last_error']),
    parked: textOrNull(row['parked']),
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
