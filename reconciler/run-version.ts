import type { VersionSettings } from '../schemas/agent-state.ts';
import type { FlowSpec } from '../schemas/flow-spec.ts';
import type { CommitInfo } from '../schemas/status.ts';
import type { RunRecord, VersionStore } from './ports.ts';
import type { AgentRecords } from './records.ts';

/** The version that a run gets, and what it runs with. */
export interface RunVersion {
  readonly version: string;
  readonly sha256: string;
  readonly path: string;
  readonly revision: string;
  readonly settings: VersionSettings;
}

/** The active version, or the named one when it is the active or the previous; else a sentence that says what there is. */
export function runVersion(
  parts: { store: Pick<VersionStore, 'current'>; records: Pick<AgentRecords, 'flow'> },
  flow: string,
  named: string | undefined,
): RunVersion | string {
  const { flows } = parts.store.current();
  const active = flows[flow];
  const state = parts.records.flow(flow);
  if (active === undefined || state?.active == null) {
    const names = Object.keys(flows);
    const others = names.length === 0 ? 'no flow is active' : `active are: ${names.slice(0, 20).join(', ')}`;
    return `expected the id of an active flow, found "${flow}" (${others})`;
  }
  if (state.active.spec.runtime === 'service') {
    return `flow ${flow} is a service: a running agent keeps it, and nothing triggers it; "edge-agent status" says where it answers`;
  }
  const { version, sha256, path, revision, previous } = active;
  const ofOthers = (found: VersionSettings) =>
    `expected the settings of ${named ?? version} of flow ${flow}, found those of ${found.spec.version}; the next reconcile puts them right`;
  if (named === undefined || named === version) {
    if (state.active.spec.sha256 !== sha256) return ofOthers(state.active);
    return { version, sha256, path, revision, settings: state.active };
  }
  if (previous?.version === named && state.previous !== null) {
    if (state.previous.spec.sha256 !== previous.sha256) return ofOthers(state.previous);
    return { ...previous, revision: state.previous.revision, settings: state.previous };
  }
  const known = `${version}${previous === null ? '' : ` or ${previous.version}`}`;
  return `expected version ${known} of flow ${flow}, found "${named}"`;
}

/** What a run notes of its version from when on it holds it. */
export interface RunLease {
  readonly version: string;
  readonly sha256: string;
  readonly path: string;
  readonly revision: string;
  readonly spec: FlowSpec;
  readonly entrypoint: string;
  readonly commit: CommitInfo | null;
}

export function leaseOf({ settings, version, sha256, path, revision }: RunVersion): RunLease {
  const { spec, entrypoint, commit = null } = settings;
  return { version, sha256, path, revision, spec, entrypoint, commit };
}

/** The lease that a run has already, because it named its version or an attempt of it has begun; else null. */
export function heldLease(run: RunRecord): RunLease | null {
  const { version, sha256, path, revision, spec, entrypoint, commit = null } = run;
  if (version === null || sha256 === null || path === null || revision === null) return null;
  if (spec === null || entrypoint == null) return null;
  return { version, sha256, path, revision, spec, entrypoint, commit };
}
