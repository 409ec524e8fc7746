import type { Observed } from '../../reconciler/plan.ts';
import type { VersionRecord } from '../../reconciler/ports.ts';
import type { FlowState } from '../../schemas/agent-state.ts';
import type { ActiveFlow, Current } from '../../schemas/current.ts';
import type { FlowSpec } from '../../schemas/flow-spec.ts';

export const DIGEST = { a: 'a'.repeat(64), b: 'b'.repeat(64), c: 'c'.repeat(64) };
export const NOW = new Date('2026-11-20T15:00:00Z');
export const REVISION = `tenant/acme@sha1:${'1'.repeat(40)}`;

export function flowSpec(change: Partial<FlowSpec> = {}): FlowSpec {
  return {
    id: 'invoice-bot',
    version: 'v1.0.7',
    edge_url: 'https://minio.example/edge-artifacts/a.tar.gz',
    sha256: DIGEST.a,
    size: null,
    runtime: 'python',
    cpu_arch: 'any',
    entrypoint: null,
    args: [],
    schedule: null,
    timeout: null,
    lock: null,
    overlap: 'queue',
    missed: 'skip',
    retries: 0,
    env: {},
    secrets: [],
    depends_on: [],
    targets: {},
    health: null,
    service: null,
    layout: 'flows',
    ...change,
  };
}

export function activeFlow(change: Partial<ActiveFlow> = {}): ActiveFlow {
  return {
    version: 'v1.0.7',
    sha256: DIGEST.a,
    path: 'flows/invoice-bot/v1.0.7',
    revision: REVISION,
    activated_at: NOW.toISOString(),
    previous: null,
    held: null,
    ...change,
  };
}

export function pointer(flows: Current['flows'] = {}): Current {
  return { format: 1, seq: null, revision: REVISION, flows };
}

export function flowState(spec: FlowSpec, change: Partial<FlowState> = {}): FlowState {
  return {
    active: { spec, entrypoint: 'main.py', revision: REVISION },
    previous: null,
    desired_version: spec.version,
    desired_sha256: spec.sha256,
    runtime: spec.runtime,
    phase: 'active',
    since: NOW.toISOString(),
    health: 'healthy',
    setback: null,
    attempted_revision: REVISION,
    failures: 0,
    next_attempt_at: null,
    ...change,
  };
}

export function versionRecord(change: Partial<VersionRecord> = {}): VersionRecord {
  return {
    version: 'v1.0.7',
    flow: 'invoice-bot',
    sha256: DIGEST.a,
    path: 'flows/invoice-bot/v1.0.7',
    bytes: 1_000,
    files: 1,
    unpacked_at: NOW.toISOString(),
    made: true,
    ...change,
  };
}

export function observed(change: Partial<Observed> = {}): Observed {
  return {
    current: pointer(),
    taken: new Map(),
    states: new Map(),
    quarantines: new Map(),
    drifted: new Map(),
    labels: {},
    arch: 'x86_64',
    unsupported: new Map(),
    allows: () => null,
    explicit: false,
    ...change,
  };
}
