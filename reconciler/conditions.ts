import { heldClause } from '../schemas/held-clause.ts';
import type { Condition } from '../schemas/status.ts';
import { backoffMs, jitteredIntervalMs } from './backoff.ts';
import type { Setback } from './ports.ts';

/** What one reconcile came to. */
export interface Outcome {
  /** The last revision seen, null before the first. */
  readonly revision: string | null;
  /** Of the reconcile as a whole first, then flow by flow. */
  readonly setbacks: readonly Setback[];
  readonly unhealthy: readonly string[];
  /** Flows that a person holds after a roll back, as `daily-report at v1.0.0`. */
  readonly held: readonly string[];
  /** What is well now and will not stay so: a release about to expire. */
  readonly warnings: readonly string[];
}

export interface Conclusion {
  readonly conditions: readonly Condition[];
  /** Milliseconds until the next attempt. */
  readonly wakeInMs: number;
  readonly ready: boolean;
  /** 0 when Ready, else the lowest of 3, 4, 5 that holds (contract, section 10). */
  readonly exitCode: 0 | 3 | 4 | 5;
}

const EXIT_OF = { refused: 3, stalled: 4, retry: 5 } as const;

/**
 * The one place that turns results into conditions and the next wake-up (design.md). Ready is always there; Reconciling and
 * Stalled only while they hold, and never together.
 */
export function conclude(
  outcome: Outcome,
  before: readonly Condition[],
  now: Date,
  pace: { readonly intervalMs: number; readonly failures: number; readonly uniform: number },
): Conclusion {
  const blocking = outcome.setbacks.filter((setback) => setback.kind !== 'retry');
  const retries = outcome.setbacks.filter((setback) => setback.kind === 'retry');
  const ready = outcome.setbacks.length === 0 && outcome.unhealthy.length === 0 && outcome.revision !== null;
  const worst = blocking.toSorted((a, b) => EXIT_OF[a.kind] - EXIT_OF[b.kind])[0] ?? retries[0];
  const problem = worst ?? {
    code: 'unhealthy',
    message: `unhealthy: ${outcome.unhealthy.join(', ') || 'nothing seen yet'}`,
  };
  const others = outcome.setbacks.length > 1 ? ` (and ${outcome.setbacks.length - 1} more)` : '';
  const make = (
    type: Condition['type'],
    status: Condition['status'],
    reason: string,
    message: string,
  ): Condition => {
    const last = before.find((condition) => condition.type === type);
    const changed_at = last?.status === status ? last.changed_at : now.toISOString();
    return { type, status, reason, message, observed_revision: outcome.revision, changed_at };
  };
  const conditions: Condition[] = [];
  if (ready) {
    const held = outcome.held.length === 0 ? '' : `; ${heldClause(outcome.held)}`;
    const warned = outcome.warnings.map((warning) => `; ${warning}`).join('');
    const message = `${outcome.revision} is applied in full${held}${warned}`;
    conditions.push(make('Ready', 'True', 'RevisionApplied', message));
  } else conditions.push(make('Ready', 'False', problem.code, problem.message + others));
  if (blocking.length > 0) conditions.push(make('Stalled', 'True', problem.code, problem.message + others));
  else if (retries.length > 0)
    conditions.push(make('Reconciling', 'True', problem.code, problem.message + others));
  const exitCode = ready ? 0 : worst === undefined ? 4 : EXIT_OF[worst.kind];
  return { conditions, wakeInMs: wakeIn(retries, pace), ready, exitCode };
}

/** While the first attempt at a revision is under way. */
export function progressing(
  before: readonly Condition[],
  revision: string | null,
  now: Date,
): readonly Condition[] {
  const last = before.find((condition) => condition.type === 'Ready');
  const message = revision === null ? 'looking at the source' : `applying ${revision}`;
  const at = now.toISOString();
  const ready: Condition = {
    type: 'Ready',
    status: last?.status === 'True' ? 'False' : (last?.status ?? 'Unknown'),
    reason: 'Progressing',
    message,
    observed_revision: revision,
    changed_at: last?.status === 'True' ? at : (last?.changed_at ?? at),
  };
  const reconciling = before.find((condition) => condition.type === 'Reconciling');
  return [
    ready,
    {
      type: 'Reconciling',
      status: 'True',
      reason: 'Progressing',
      message,
      observed_revision: revision,
      changed_at: reconciling?.changed_at ?? at,
    },
  ];
}

function wakeIn(
  retries: readonly Setback[],
  pace: { readonly intervalMs: number; readonly failures: number; readonly uniform: number },
): number {
  const interval = jitteredIntervalMs(pace.intervalMs, pace.uniform);
  if (retries.length === 0) return interval;
  const waits = retries.map((setback) =>
    setback.kind === 'retry' && setback.afterMs !== undefined
      ? setback.afterMs
      : backoffMs(pace.failures, pace.uniform),
  );
  // the source is looked at every interval whatever a flow waits for: a newer revision is taken at once
  return Math.max(100, Math.min(interval, ...waits));
}
