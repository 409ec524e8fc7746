import { describe, expect, it } from 'vitest';
import { isOnItsWay, progressOf, rollout } from '../../../console/fleet/rollout.ts';
import type { RevisionUse } from '../../../console/store/ports/fleet.ts';

const [OLD, NEW] = ['tenant/acme@sha1:a', 'tenant/acme@sha1:b'];
const release = (revision: string, newest: boolean) => ({
  tenant: 'acme',
  revision,
  commit: null,
  seq: null,
  first_seen_at: '2026-11-21T12:00:00Z',
  newest,
});
const use = (
  desired: string,
  applied: string,
  state: RevisionUse['state'],
  agents: number,
  held = 0,
): RevisionUse => ({
  tenant: 'acme',
  desired,
  applied,
  state,
  agents,
  held,
});

describe('how far a release has got', () => {
  it('counts every agent once', () => {
    const uses = [
      use(NEW, NEW, 'ready', 5),
      use(NEW, NEW, 'unhealthy', 1),
      use(NEW, OLD, 'stalled', 2),
      use(NEW, OLD, 'reconciling', 3),
      use(NEW, OLD, 'unreachable', 4),
      use(OLD, OLD, 'ready', 6),
      { ...use(NEW, NEW, 'ready', 100), tenant: 'globex' },
    ];
    const newest = rollout(release(NEW, true), uses);
    expect(newest.agents).toEqual({
      applied: 5,
      held: 0,
      failing: 3,
      reconciling: 3,
      pending: 10,
      total: 21,
    });
    expect(isOnItsWay(newest)).toBe(true);
    // Nobody is waited for to go back.
    const old = rollout(release(OLD, false), uses);
    expect(old.agents).toEqual({ applied: 15, held: 0, failing: 0, reconciling: 0, pending: 0, total: 21 });
    expect(isOnItsWay(old)).toBe(false);
  });

  it('is over when all agents have it', () => {
    expect(isOnItsWay(rollout(release(NEW, true), [use(NEW, NEW, 'ready', 5)]))).toBe(false);
  });

  it('does not count those that hold a flow of it back as having it, and waits for none of them', () => {
    const uses = [
      use(NEW, NEW, 'ready', 4),
      use(NEW, NEW, 'ready', 2, 1),
      use(NEW, NEW, 'unhealthy', 1, 1),
      use(NEW, OLD, 'reconciling', 1, 1),
    ];
    const newest = rollout(release(NEW, true), uses);
    expect(newest.agents).toEqual({ applied: 5, held: 1, failing: 1, reconciling: 1, pending: 0, total: 8 });
    expect(isOnItsWay(newest)).toBe(true);
    expect(isOnItsWay(rollout(release(NEW, true), uses.slice(0, 2)))).toBe(false);
    expect(rollout(release(OLD, false), uses).agents).toMatchObject({ applied: 0, held: 1 });
  });

  it('is a line of 200 points at most that ends at the sum', () => {
    const at = Array.from({ length: 1_001 }, (_, minute) => new Date(minute * 60_000).toISOString());
    const points = progressOf(at);
    expect(points.length).toBeLessThanOrEqual(200);
    expect(points.at(-1)).toEqual({ at: at.at(-1), applied: 1_001 });
    expect(progressOf(at.slice(0, 3)).map(({ applied }) => applied)).toEqual([1, 2, 3]);
    expect(progressOf([])).toEqual([]);
  });
});
