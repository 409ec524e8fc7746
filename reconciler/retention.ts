import type { Current } from '../schemas/current.ts';
import type { VersionRecord } from './ports.ts';

export interface RetentionPolicy {
  /** Five cron fields: when the weekly clean-up is due. */
  readonly schedule: string;
  readonly keep_versions: number;
  readonly keep_days: number;
  readonly max_bytes?: number | undefined;
}

export interface PruneDecision {
  readonly record: VersionRecord;
  readonly because: string;
}

const DAY_MS = 86_400_000;

/**
 * The versions to remove: beyond the newest `keep_versions` of a flow, older than `keep_days`, or the oldest ones while all
 * together take more than `max_bytes`. Never the active, the previous or a leased version (contract, section 2).
 */
export function versionsToPrune(
  records: readonly VersionRecord[],
  current: Current,
  leased: ReadonlySet<string>,
  policy: RetentionPolicy,
  now: Date,
  wasActive: (record: VersionRecord) => boolean = () => true,
): PruneDecision[] {
  const safe = new Set(leased);
  for (const active of Object.values(current.flows)) {
    for (const version of [active, ...(active.previous === null ? [] : [active.previous])]) {
      safe.add(version.path);
    }
  }
  const newestFirst = records.toSorted(
    (a, b) => byCodeUnit(b.unpacked_at, a.unpacked_at) || byCodeUnit(b.path, a.path),
  );
  const decisions: PruneDecision[] = [];
  const kept: VersionRecord[] = [];
  const ranks = new Map<string, number>();
  // what is safe takes its place first, so that "keep 3" with an active and a previous version keeps one more;
  // what never became active takes the last ones
  for (const record of [
    ...newestFirst.filter(isSafe),
    ...newestFirst.filter((record) => !isSafe(record) && wasActive(record)),
    ...newestFirst.filter((record) => !isSafe(record) && !wasActive(record)),
  ]) {
    const group = record.flow ?? '';
    const rank = (ranks.get(group) ?? 0) + 1;
    ranks.set(group, rank);
    const ageDays = (now.getTime() - Date.parse(record.unpacked_at)) / DAY_MS;
    if (isSafe(record)) kept.push(record);
    else if (rank > policy.keep_versions) {
      decisions.push({ record, because: `more than keep_versions (${policy.keep_versions}) versions` });
    } else if (ageDays > policy.keep_days) {
      decisions.push({ record, because: `older than keep_days (${policy.keep_days})` });
    } else kept.push(record);
  }
  if (policy.max_bytes !== undefined) {
    let total = kept.reduce((sum, record) => sum + record.bytes, 0);
    for (const record of kept.toReversed().filter((candidate) => !isSafe(candidate))) {
      if (total <= policy.max_bytes) break;
      total -= record.bytes;
      decisions.push({
        record,
        because: `the versions take more than max_bytes (${policy.max_bytes} bytes)`,
      });
    }
  }
  return decisions;

  function isSafe(record: VersionRecord): boolean {
    return safe.has(record.path);
  }
}

/** The same order on every machine, and without the tables of a collator, which an idle agent would keep in memory. */
function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
