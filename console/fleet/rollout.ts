import type { ReleaseDetail, ReleaseRow } from '../../schemas/console/release.ts';
import type { RevisionUse } from '../store/ports/fleet.ts';
import type { KnownRelease } from '../store/ports/releases.ts';

const POINTS_MAX = 200;

/**
 * How far a release has got. Each agent of the tenant counts once at most: as one that fails with it, before one that has it (but for
 * a flow that it holds back, or in full), before one that is on its way. Those that are left are waited for, if it is the newest. Pure.
 */
export function rollout(
  release: Omit<KnownRelease, 'flows' | 'id'>,
  uses: readonly RevisionUse[],
): ReleaseRow {
  const { tenant, revision, commit, seq, first_seen_at, newest } = release;
  const agents = { applied: 0, held: 0, reconciling: 0, failing: 0, pending: 0, total: 0 };
  for (const use of uses) {
    if (use.tenant !== tenant || use.state === 'revoked') continue;
    agents.total += use.agents;
    const where = placeOf(use, revision);
    if (where === 'applied') {
      agents.held += use.held;
      agents.applied += use.agents - use.held;
    } else if (where !== 'pending' || newest) agents[where] += use.agents;
  }
  return { tenant, revision, commit, seq, first_seen_at, newest, agents };
}

function placeOf(use: RevisionUse, revision: string): Exclude<keyof ReleaseRow['agents'], 'total' | 'held'> {
  const wants = use.desired === revision;
  if (wants && (use.state === 'stalled' || use.state === 'unhealthy')) return 'failing';
  if (use.applied === revision) return 'applied';
  return wants && use.state === 'reconciling' ? 'reconciling' : 'pending';
}

/** Agents should have it and do not yet. Those that hold a flow back have come as far as they go by themselves. */
export function isOnItsWay({ newest, agents }: ReleaseRow): boolean {
  return newest && agents.applied + agents.held < agents.total;
}

/** The running number at each moment of `at` (in order), as at most 200 points of which the last is the sum. Pure. */
export function progressOf(at: readonly string[]): ReleaseDetail['progress'] {
  const step = Math.max(1, Math.ceil(at.length / POINTS_MAX));
  return at.flatMap((moment, index) =>
    (index + 1) % step === 0 || index === at.length - 1 ? [{ at: moment, applied: index + 1 }] : [],
  );
}
