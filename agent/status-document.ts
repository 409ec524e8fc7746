import type { ReportQueue, RunStore, Tunnel, VersionRecord } from '../reconciler/ports.ts';
import type { AgentRecords } from '../reconciler/records.ts';
import { unkeptStatus } from '../reconciler/service-status.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import type { FlowState } from '../schemas/agent-state.ts';
import type { Current } from '../schemas/current.ts';
import type { ServiceStatus } from '../schemas/service.ts';
import type { FlowHealth, FlowStatus, IdentityStatus, Status } from '../schemas/status.ts';
import { diskVersions } from './disk-versions.ts';
import type { LiveStatus } from './live-status.ts';
import { toSummary } from './run-summary.ts';
import { AGENT_VERSION, osName } from './version.ts';

export interface StatusInputs {
  readonly config: AgentConfig;
  readonly configDigest: string;
  readonly configError: string | null;
  readonly records: AgentRecords;
  readonly current: Current;
  readonly runs: RunStore;
  readonly queue: ReportQueue;
  readonly live: LiveStatus | null;
  readonly tunnel: Pick<ReturnType<Tunnel['state']>, 'state' | 'since'>;
  /** What the daemon says of a service it keeps; null where nobody keeps it. */
  readonly services: (flow: string) => ServiceStatus | null;
  readonly disk: { used: number; free: number };
  /** What lies on disk, as last looked at; null where nobody has looked. */
  readonly versions: readonly VersionRecord[] | null;
  readonly clockOffsetMs: number | null;
  readonly isolation: string;
  readonly identity: IdentityStatus;
  readonly now: Date;
}

/** The status document of the contract's section 9, from what is on disk and what is under way. */
export function statusDocument(inputs: StatusInputs): Status {
  const { config, records, current, runs, queue, now } = inputs;
  const { failures: _failures, setback: _setback, ...source } = records.source();
  const last = runs.list({ states: ['succeeded', 'failed', 'timed_out', 'cancelled', 'lost'], limit: 1 })[0];
  return {
    agent_id: config.agent_id ?? null,
    tenant: config.tenant,
    agent_version: AGENT_VERSION,
    os: osName(),
    arch: process.arch === 'x64' ? 'x86_64' : process.arch,
    labels: config.labels,
    generated_at: now.toISOString(),
    trust: { mode: config.trust.mode, ...records.trustSeen() },
    suspended: records.suspension(now),
    config: { digest: inputs.configDigest, error: inputs.configError },
    source: { kind: config.source.kind, ...source },
    tunnel: { state: inputs.tunnel.state, since: inputs.tunnel.since },
    flows: flowStatuses(inputs, current),
    conditions: conditionsOf(inputs),
    runs: {
      running: runs.count('running'),
      queued: runs.count('queued'),
      last: last === undefined ? null : toSummary(last),
    },
    outbox: queue.totals(),
    disk: inputs.disk,
    clock_offset_ms: inputs.clockOffsetMs,
    isolation: inputs.isolation,
    identity: inputs.identity,
    ...(inputs.versions === null ? {} : { versions: diskVersions(inputs.versions, current) }),
  };
}

/** Ready is always there, also before the first reconcile. */
function conditionsOf(inputs: StatusInputs): Status['conditions'] {
  const known = inputs.records.conditions();
  const { message } = inputs.identity;
  if (known.length > 0) {
    // nothing of it keeps a revision from being applied: it is said beside what is so
    return known.map((each) =>
      each.type === 'Ready' && message !== null ? { ...each, message: `${each.message}; ${message}` } : each,
    );
  }
  return [
    {
      type: 'Ready',
      status: 'Unknown',
      reason: 'NotReconciled',
      message: 'nothing was reconciled yet; run "edge-agent reconcile" or start the agent',
      observed_revision: null,
      changed_at: inputs.now.toISOString(),
    },
  ];
}

function flowStatuses(inputs: StatusInputs, current: Current): FlowStatus[] {
  const states = inputs.records.flows();
  const quarantines = inputs.records.quarantines();
  const ids = [...new Set([...Object.keys(current.flows), ...states.keys()])].toSorted();
  return ids.map((id) => {
    const active = current.flows[id];
    const state: FlowState | undefined = states.get(id);
    const live = inputs.live?.phaseOf(id) ?? null;
    const digest = state?.desired_sha256 ?? active?.sha256;
    const found = digest === undefined || digest === null ? undefined : quarantines.get(digest);
    // another flow may run the same bundle well, with other settings
    const quarantine = found?.flow === id || state?.setback?.code === 'quarantined' ? found : undefined;
    const service =
      active !== undefined && state?.active?.spec.runtime === 'service'
        ? (inputs.services(id) ?? unkeptStatus(active.version, new Date(state.since)))
        : null;
    const health = active === undefined ? 'unknown' : (state?.health ?? 'unknown');
    return {
      id,
      runtime: state?.active?.spec.runtime ?? state?.runtime ?? null,
      desired_version: state?.desired_version ?? active?.version ?? null,
      active_version: active?.version ?? null,
      previous_version: active?.previous?.version ?? null,
      health: service?.version === active?.version ? serviceHealth(service, health) : health,
      phase: live?.phase ?? state?.phase ?? (active === undefined ? 'pending' : 'active'),
      since: live?.since.toISOString() ?? state?.since ?? active?.activated_at ?? inputs.now.toISOString(),
      held: active?.held ?? null,
      quarantined: quarantine === undefined ? null : { sha256: digest as string, reason: quarantine.message },
      service,
    };
  });
}

/** A service that is kept says itself how it is; `unhealthy` is noted beside it when what answers is not what should. */
function serviceHealth(service: ServiceStatus | null, noted: FlowHealth): FlowHealth {
  switch (service?.state) {
    case 'ready':
      return noted === 'unhealthy' ? noted : 'healthy';
    case 'broken':
    case 'restarting':
      return 'unhealthy';
    case 'starting':
    case 'stopped':
      return noted === 'healthy' ? 'unknown' : noted;
    case undefined:
      return noted;
  }
}
