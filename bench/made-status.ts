import { createHash } from 'node:crypto';
import type { Status } from '../schemas/status.ts';

const FLOWS = ['crm-sync', 'daily-report', 'desktop-import', 'invoice-bot', 'stock-api'];
const SITES = ['lyon', 'paris', 'nantes', 'lille', 'toulouse', 'grenoble', 'brest', 'nice'];
const REVISIONS = ['a', 'b'].map((text) => createHash('sha1').update(text).digest('hex'));

/** The status of one agent of ten thousand: five flows, about 4 KB; one in fifty is stalled, each `round` is a little later. */
export function madeStatus(index: number, round: number, now: Date): Status {
  const at = now.toISOString();
  const stalled = index % 50 === 7;
  const revision = `tenant/acme@sha1:${REVISIONS[stalled ? 0 : 1]}`;
  const desired = `tenant/acme@sha1:${REVISIONS[1]}`;
  const message = stalled
    ? `flow crm-sync: expected a bundle for arm64 or any, found cpu_arch x86_64; publish one for this architecture`
    : `${desired} is applied in full`;
  const condition = (type: 'Ready' | 'Stalled', status: 'True' | 'False', reason: string) => ({
    type,
    status,
    reason,
    message,
    observed_revision: desired,
    changed_at: '2026-11-21T08:00:00.000Z',
  });
  return {
    agent_id: `agent-${index}`,
    tenant: 'acme',
    agent_version: '0.1.0',
    os: index % 3 === 0 ? 'windows' : 'linux',
    arch: 'x86_64',
    labels: { site: SITES[index % SITES.length] as string, ring: index % 20 === 0 ? 'canary' : 'stable' },
    generated_at: at,
    trust: { mode: 'required', root_version: 1, seq: 5, release_expires: '2027-02-01T00:00:00.000Z' },
    suspended: null,
    config: { digest: createHash('sha256').update(String(index)).digest('hex'), error: null },
    source: {
      kind: 'git',
      desired_revision: desired,
      last_attempted_revision: desired,
      last_applied_revision: revision,
      last_sync_at: at,
      next_attempt_at: at,
      commit: {
        subject: 'Sync in pages of 500 (closes CRM-1482)',
        author: 'Camille Moreau',
        time: '2026-11-21T08:00:00.000Z',
      },
    },
    tunnel: { state: 'none', since: null },
    flows: FLOWS.map((id) => ({
      id,
      runtime: id === 'stock-api' ? 'service' : 'python',
      desired_version: 'v1.1.0',
      active_version: stalled && id === 'crm-sync' ? 'v1.0.3' : 'v1.1.0',
      previous_version: 'v1.0.2',
      health: 'healthy' as const,
      phase: stalled && id === 'crm-sync' ? ('stalled' as const) : ('active' as const),
      since: '2026-11-21T08:00:00.000Z',
      held: null,
      quarantined: null,
      service: null,
    })),
    conditions: stalled
      ? [condition('Ready', 'False', 'arch_mismatch'), condition('Stalled', 'True', 'arch_mismatch')]
      : [condition('Ready', 'True', 'RevisionApplied')],
    runs: { running: round % 3 === 1 ? 1 : 0, queued: 0, last: null },
    outbox: { pending: 0, oldest_at: null, parked: 0 },
    disk: { used: 412_000_000 + round, free: 48_000_000_000 },
    clock_offset_ms: 12,
    isolation: 'cgroup',
    identity: { state: 'enrolled', since: null, message: null },
  };
}
