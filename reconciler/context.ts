import type { AgentPolicy } from '../schemas/agent-policy.ts';
import type { FlowState } from '../schemas/agent-state.ts';
import type { FlowSpec, Release } from '../schemas/flow-spec.ts';
import type { CpuArch, Runtime } from '../schemas/manifest-v1.ts';
import type { Action } from '../schemas/status.ts';
import type { ManifestParser, Parsed } from './normalise-release.ts';
import type { Plan } from './plan.ts';
import type {
  BranchCheck,
  BundleSource,
  Chance,
  Clock,
  DesiredSource,
  EventSink,
  Executor,
  ProgressSink,
  ReleaseVerifier,
  ReportSink,
  RunSettings,
  RunStore,
  ServiceKeeper,
  Setback,
  Snapshot,
  StateDocuments,
  TrustMemoryStore,
  UnpackCaps,
  VerifiedRelease,
  VersionStore,
} from './ports.ts';
import type { AgentRecords } from './records.ts';
import type { RetentionPolicy } from './retention.ts';

/** What of agent.yaml (and a believed policy) a reconcile goes by. */
export interface ReconcileSettings {
  readonly tenant: string;
  readonly locale: 'fr' | 'en';
  readonly labels: Readonly<Record<string, string>>;
  readonly arch: Exclude<CpuArch, 'any'> | null;
  readonly agentVersion: string;
  readonly timezone: string | null;
  readonly windows: readonly string[] | undefined;
  readonly retention: RetentionPolicy;
  readonly caps: UnpackCaps;
  readonly runs: RunSettings;
  readonly rollbackOn: 'health' | 'runs' | 'never';
  /** Flows worked on at the same time. */
  readonly parallelFlows: number;
  /** Hash active versions again in this reconcile; else only their presence is checked. */
  readonly deepCheck: boolean;
}

/** The parts a reconcile is made of. `agent/wire.ts` puts them together. */
export interface ReconcileDeps {
  readonly source: DesiredSource;
  readonly branchCheck: BranchCheck | null;
  readonly verifier: ReleaseVerifier;
  readonly trustMemory: TrustMemoryStore;
  readonly bundles: BundleSource;
  readonly store: VersionStore;
  readonly documents: StateDocuments;
  readonly records: AgentRecords;
  readonly runs: RunStore;
  readonly executors: ReadonlyMap<Runtime, Executor>;
  /** Absent: nobody keeps services here. */
  readonly services?: ServiceKeeper;
  readonly events: EventSink;
  readonly reports: ReportSink;
  readonly progress: ProgressSink;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly parser: ManifestParser & { policy(bytes: Uint8Array, file: string): Parsed<AgentPolicy> };
  /** Flow secrets by name, read anew each time. */
  readonly secrets: () => Promise<Readonly<Record<string, string>>>;
  /** `<state>/runs/<run_id>/<attempt>` */
  readonly runDirectory: (runId: string, attempt: number) => string;
  readonly settings: () => ReconcileSettings;
  /**
   * What follows from an error that a part threw because of this machine (a damaged state file, a full disk, credentials
   * that cannot be read); null for a bug of ours.
   */
  readonly explain: (error: unknown) => Setback | null;
  /** Told when a believed policy came or went, before the plan is made. */
  readonly onPolicy: (policy: AgentPolicy | null) => void;
}

export interface ReconcileContext extends ReconcileDeps {
  readonly signal: AbortSignal;
  /** The one reference time of this reconcile. */
  readonly now: Date;
  /** A person asked: nothing waits for a backoff. */
  readonly explicit: boolean;
  /** Apply again what is active already. */
  readonly force: boolean;
  readonly dryRun: boolean;
  /** Downloads under way by digest, so that two flows of one bundle fetch it once. */
  readonly downloads: Map<string, Promise<StepResult>>;
}

/** How one flow fared. */
export interface FlowOutcome {
  readonly spec: FlowSpec;
  readonly setback: Setback | null;
}

/** What the steps of one reconcile hand on to each other. */
export interface ReconcileState {
  found: { revision: string; fingerprint: string } | null;
  snapshot: Snapshot | null;
  verified: VerifiedRelease | null;
  release: Release | null;
  plan: Plan | null;
  /** Digests that a complete folder on disk holds. */
  unpackedDigests: ReadonlySet<string>;
  readonly outcomes: Map<string, FlowOutcome>;
  readonly actions: Action[];
}

export type StepResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'skip'; readonly because: string }
  | Setback;

export interface Step {
  readonly name: string;
  run(context: ReconcileContext, state: ReconcileState): Promise<StepResult>;
}

/** One flow on its way through fetch, unpack, prepare, activate and health. */
export interface FlowWork {
  readonly spec: FlowSpec;
  readonly version: string;
  readonly path: string;
  readonly because: string;
  readonly revision: string;
  readonly seq: VerifiedRelease['seq'];
  /** A complete folder of this digest is on disk, under this or another name. */
  readonly unpackedElsewhere: boolean;
  readonly actions: Action[];
  /** The version is active but its files are not what was unpacked: they are put back in place. */
  readonly repair: boolean;
  entrypoint: string | null;
}

export interface FlowStep {
  readonly name: 'fetch' | 'unpack' | 'prepare' | 'activate' | 'health';
  readonly phase: FlowState['phase'];
  run(context: ReconcileContext, work: FlowWork): Promise<StepResult>;
}

export const DONE: StepResult = { kind: 'done' };
