import type { FlowState, Quarantine } from '../schemas/agent-state.ts';
import type { ActiveFlow, Current, Held } from '../schemas/current.ts';
import type { FlowSpec, Release } from '../schemas/flow-spec.ts';
import type { CpuArch, Runtime } from '../schemas/manifest-v1.ts';
import type { Refused, Setback, Stalled } from './ports.ts';
import { placeVersion, type TakenNames, type VersionPlace } from './version-place.ts';

export type FlowPlan =
  /** Active already, and nothing about it changed. */
  | { readonly kind: 'keep'; readonly spec: FlowSpec }
  /** The same version with other settings (arguments, schedule, …). */
  | { readonly kind: 'settings'; readonly spec: FlowSpec; readonly because: string }
  | {
      readonly kind: 'activate';
      readonly spec: FlowSpec;
      readonly place: VersionPlace;
      readonly because: string;
    }
  /** Rolled back by hand from exactly what is asked for. */
  | { readonly kind: 'held'; readonly spec: FlowSpec; readonly held: Held }
  | { readonly kind: 'blocked'; readonly spec: FlowSpec; readonly setback: Setback; readonly waits: boolean };

export interface Plan {
  /** In an order that puts dependencies first. */
  readonly flows: readonly FlowPlan[];
  readonly deactivate: readonly { readonly flow: string; readonly because: string }[];
}

/** What is so on this machine, as far as a plan depends on it. */
export interface Observed {
  readonly current: Current;
  readonly taken: TakenNames;
  readonly states: ReadonlyMap<string, FlowState>;
  readonly quarantines: ReadonlyMap<string, Quarantine>;
  /** Flows whose active version is not what was unpacked. */
  readonly drifted: ReadonlyMap<string, string>;
  readonly labels: Readonly<Record<string, string>>;
  readonly arch: Exclude<CpuArch, 'any'> | null;
  /** Why a runtime cannot run here; absent when it can. */
  readonly unsupported: ReadonlyMap<Runtime, Stalled>;
  readonly allows: (url: string) => Refused | null;
  /** True when a person asked: what failed before is tried again without waiting. */
  readonly explicit: boolean;
}

/** What has to be done so that `release` is what runs here. Pure. */
export function planRelease(release: Release, observed: Observed, now: Date): Plan {
  const selected = release.flows.filter((flow) => isTargeted(flow, observed.labels));
  const wanted = new Set(selected.map((flow) => flow.id));
  const flows = inDependencyOrder(selected).map((spec) => planFlow(spec, release.revision, observed, now));
  const deactivate = Object.keys(observed.current.flows)
    .filter((flow) => !wanted.has(flow))
    .map((flow) => ({
      flow,
      because: release.flows.some((entry) => entry.id === flow)
        ? 'its targets no longer select this agent'
        : 'it left the manifest',
    }));
  return { flows, deactivate };
}

/** True when the plan changes nothing on this machine. */
export function isNoop(plan: Plan): boolean {
  return (
    plan.deactivate.length === 0 && plan.flows.every((flow) => flow.kind === 'keep' || flow.kind === 'held')
  );
}

function planFlow(spec: FlowSpec, revision: string, observed: Observed, now: Date): FlowPlan {
  const active = observed.current.flows[spec.id];
  const state = observed.states.get(spec.id);
  const drift = observed.drifted.get(spec.id);
  if (active !== undefined && drift === undefined && isActiveAs(active, spec)) {
    if (state?.active != null && sameSettings(state.active.spec, spec)) return { kind: 'keep', spec };
    const setback = mayRun(spec, observed);
    if (setback !== null) return { kind: 'blocked', spec, setback, waits: false };
    return { kind: 'settings', spec, because: 'its settings changed in the manifest' };
  }
  if (active?.held != null && active.previous?.sha256 === spec.sha256) {
    return { kind: 'held', spec, held: active.held };
  }
  const quarantine = observed.quarantines.get(spec.sha256);
  if (quarantine !== undefined && stands(quarantine, spec)) {
    const whose = quarantine.flow === spec.id ? '' : `its bundle is that of flow ${quarantine.flow}, whose `;
    const message = `flow ${spec.id}: ${whose}${quarantine.message}; publish a fixed version, or run "edge-agent retry ${spec.id}"`;
    return {
      kind: 'blocked',
      spec,
      setback: { kind: 'stalled', code: 'quarantined', message },
      waits: false,
    };
  }
  const setback = observed.allows(spec.edge_url) ?? mayRun(spec, observed);
  if (setback !== null) return { kind: 'blocked', spec, setback: named(setback, spec), waits: false };
  const earlier = earlierSetback(spec, revision, state, observed.explicit, now);
  if (earlier !== null) return { kind: 'blocked', spec, setback: earlier, waits: true };
  const place = placeVersion(spec, observed.taken);
  if (place === null) {
    const message = `flow ${spec.id}: expected a version name that is free, found "${spec.version}", which the agent keeps for itself; choose another`;
    return {
      kind: 'blocked',
      spec,
      setback: { kind: 'stalled', code: 'version_name_reserved', message },
      waits: false,
    };
  }
  if (active !== undefined && drift !== undefined && isActiveAs(active, spec)) {
    const same = { version: active.version, path: active.path };
    return { kind: 'activate', spec, place: same, because: `the version on disk drifted: ${drift}` };
  }
  const digest = spec.sha256.slice(0, 8);
  const because =
    active === undefined
      ? `the manifest names ${place.version} (${digest}) and nothing is active`
      : `the manifest names ${place.version} (${digest}) and ${active.version} (${active.sha256.slice(0, 8)}) is active`;
  return { kind: 'activate', spec, place, because };
}

/** The digest decides; a name taken by another digest carries the digest's first digits. */
export function isActiveAs(active: ActiveFlow, spec: FlowSpec): boolean {
  const parent = spec.layout === 'root' ? '' : `flows/${spec.id}/`;
  const name = active.path.startsWith(parent) ? active.path.slice(parent.length) : '';
  const suffixed =
    name.startsWith(`${spec.version}+`) && spec.sha256.startsWith(name.slice(spec.version.length + 1));
  return active.sha256 === spec.sha256 && (name === spec.version || suffixed);
}

/** Bytes that cannot be had are nobody's; a version that failed failed with its settings, in its flow. */
function stands(quarantine: Quarantine, spec: FlowSpec): boolean {
  if (quarantine.cause === 'digest' || quarantine.spec == null) return true;
  const { version } = spec;
  return sameSettings({ ...quarantine.spec, version }, spec);
}

function mayRun(spec: FlowSpec, observed: Observed): Stalled | null {
  if (spec.cpu_arch !== 'any' && spec.cpu_arch !== observed.arch) {
    const message = `flow ${spec.id}: expected a bundle for ${observed.arch ?? 'this machine'} or any, found cpu_arch ${spec.cpu_arch}; publish one for this architecture`;
    return { kind: 'stalled', code: 'arch_mismatch', message };
  }
  return observed.unsupported.get(spec.runtime) ?? null;
}

function earlierSetback(
  spec: FlowSpec,
  revision: string,
  state: FlowState | undefined,
  explicit: boolean,
  now: Date,
): Setback | null {
  if (explicit || state?.setback == null || state.desired_sha256 !== spec.sha256) return null;
  if (state.attempted_revision !== revision) return null;
  const waits = state.next_attempt_at !== null && Date.parse(state.next_attempt_at) > now.getTime();
  if (state.setback.kind === 'retry' && !waits) return null;
  const afterMs =
    state.next_attempt_at === null ? undefined : Date.parse(state.next_attempt_at) - now.getTime();
  const setback = state.setback as Setback;
  return setback.kind === 'retry' && afterMs !== undefined ? { ...setback, afterMs } : setback;
}

function isTargeted(flow: FlowSpec, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(flow.targets).every(([name, value]) => labels[name] === value);
}

function named<T extends Setback>(setback: T, spec: FlowSpec): T {
  const prefix = `flow ${spec.id}: `;
  return setback.message.startsWith(prefix) ? setback : { ...setback, message: prefix + setback.message };
}

/** Settings are everything but where the bundle comes from. */
function sameSettings(a: FlowSpec, b: FlowSpec): boolean {
  const strip = ({ edge_url: _url, size: _size, ...rest }: FlowSpec) => rest;
  return sameJson(strip(a), strip(b));
}

/** Whatever the order of keys; one that is undefined is none. */
function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const entries = Object.entries(a).filter(([, value]) => value !== undefined);
  const others = Object.values(b).filter((value) => value !== undefined);
  return (
    entries.length === others.length &&
    entries.every(([key, value]) => Object.hasOwn(b, key) && sameJson(value, b[key as keyof typeof b]))
  );
}

/** Dependencies first, otherwise as the manifest lists them. The manifest's schema has refused cycles. */
function inDependencyOrder(flows: readonly FlowSpec[]): FlowSpec[] {
  const byId = new Map(flows.map((flow) => [flow.id, flow]));
  const placed = new Set<string>();
  const ordered: FlowSpec[] = [];
  for (const start of flows) {
    const stack = [start];
    while (stack.length > 0) {
      const flow = stack.at(-1) as FlowSpec;
      const missing = flow.depends_on
        .map((id) => byId.get(id))
        .filter((need) => need !== undefined && !placed.has(need.id));
      if (placed.has(flow.id)) stack.pop();
      else if (missing.length > 0) stack.push(...(missing as FlowSpec[]));
      else {
        stack.pop();
        placed.add(flow.id);
        ordered.push(flow);
      }
    }
  }
  return ordered;
}
