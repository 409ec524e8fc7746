import { z } from 'zod';
import { FlowId, Id, Timestamp } from '../schemas/names.ts';
import { RunReport, RunSummary } from '../schemas/run.ts';
import { ReconcileReport, Status } from '../schemas/status.ts';
import { UploadState } from '../schemas/upload.ts';
import { Obstacles } from './obstacles.ts';

/** What a reconcile answers to whoever asked: the report, and what the exit code of the command is. */
export const ReconcileAnswer = z.object({
  report: ReconcileReport,
  exit_code: z.int(),
  /** The sentences of what is in the way, worst first. */
  problems: z.array(z.object({ kind: z.string(), code: z.string(), message: z.string() })),
});
export type ReconcileAnswer = z.infer<typeof ReconcileAnswer>;

export const Released = z.object({
  quarantined: z.array(FlowId),
  /** Flows that waited for their next attempt, or for a person. */
  waiting: z.array(FlowId),
  reports: z.int(),
});
export type Released = z.infer<typeof Released>;

export const PlannedChange = z.object({
  flow: FlowId,
  change: z.enum(['activate', 'settings', 'deactivate', 'blocked']),
  from: z.string().nullable(),
  to: z.string().nullable(),
  because: z.string(),
});
export type PlannedChange = z.infer<typeof PlannedChange>;

export const DiffAnswer = z.object({
  revision: z.string().nullable(),
  changes: z.array(PlannedChange),
  problems: ReconcileAnswer.shape.problems,
  status: Status,
  exit_code: z.int(),
});
export type DiffAnswer = z.infer<typeof DiffAnswer>;

const TriggerAnswer = z.object({ run_id: Id });

export const GcAnswer = z.object({
  dry_run: z.boolean(),
  versions: z.array(z.object({ path: z.string(), bytes: z.int(), because: z.string() })),
  environments: z.array(z.object({ name: z.string(), bytes: z.int() })),
  tags: z.array(z.string()),
  git: z.object({ objects: z.int(), bytes: z.int() }),
  staging: z.object({ removed: z.int(), bytes: z.int() }),
  runs: z.int(),
});
export type GcAnswer = z.infer<typeof GcAnswer>;

export const VerifyAnswer = z.object({
  ok: z.boolean(),
  versions: z.array(
    z.object({
      path: z.string(),
      sha256: z.string(),
      state: z.enum(['intact', 'drifted']),
      message: z.string().nullable(),
    }),
  ),
  events: z.object({ state: z.enum(['intact', 'broken']), checked: z.int(), message: z.string().nullable() }),
  release: z.object({ state: z.enum(['verified', 'refused', 'unknown']), message: z.string().nullable() }),
});
export type VerifyAnswer = z.infer<typeof VerifyAnswer>;

const UploadStates = z.object({ uploads: z.array(UploadState) });

const NoArguments = z.object({});
const Who = z.string().min(1).max(256);
const Why = z.string().min(1).max(1_024);

/** Every operation with the arguments it takes and the answer it gives, for the control socket and for a command alone. */
export const OPERATIONS = {
  status: { input: NoArguments, output: Status },
  obstacles: { input: NoArguments, output: Obstacles },
  reconcile: { input: z.object({ force: z.boolean() }), output: ReconcileAnswer },
  diff: { input: NoArguments, output: DiffAnswer },
  trigger: {
    input: z.object({
      flow: FlowId,
      version: z.string().nullable(),
      input: z.json(),
      timeout_ms: z.int().min(1).nullable(),
      by: Who.optional(),
    }),
    output: TriggerAnswer,
  },
  /** Waits until the run is finished. */
  result: { input: z.object({ run_id: Id }), output: RunReport },
  runs: {
    input: z.object({ flow: FlowId.nullable(), limit: z.int().min(1).max(10_000) }),
    output: z.object({ runs: z.array(RunSummary) }),
  },
  cancel: { input: z.object({ run_id: Id }), output: z.object({ run_id: Id, state: z.string() }) },
  suspend: { input: z.object({ by: Who, why: Why, until: Timestamp.nullable() }), output: Status },
  resume: { input: z.object({ by: Who }), output: Status },
  rollback: { input: z.object({ flow: FlowId, by: Who, why: Why }), output: Status },
  /** `released`: what may be tried again now. */
  retry: {
    input: z.object({ flow: FlowId.nullable() }),
    output: ReconcileAnswer.extend({ released: Released }),
  },
  /** Queues local documents, or says why not; absolute paths, of the machine the agent runs on. */
  upload: {
    input: z.object({
      paths: z.array(z.string().min(1).max(4_096)).min(1).max(100),
      note: z.string().max(1_000).nullable(),
      by: Who,
    }),
    /** `console`: whether there is one to send to. */
    output: UploadStates.extend({ console: z.boolean() }),
  },
  /** How it stands with what `upload` answered. */
  uploads: { input: UploadStates, output: UploadStates },
  gc: { input: z.object({ dry_run: z.boolean() }), output: GcAnswer },
  verify: { input: NoArguments, output: VerifyAnswer },
  /** Changes the device key. */
  rotatekey: { input: NoArguments, output: z.object({ before: z.string(), thumbprint: z.string() }) },
  /** Ends the daemon, and the runs under way. */
  stop: { input: z.object({ why: Why }), output: z.object({ pid: z.int() }) },
} as const;
export type OperationName = keyof typeof OPERATIONS;
export type OperationInput<N extends OperationName> = z.output<(typeof OPERATIONS)[N]['input']>;
export type OperationOutput<N extends OperationName> = z.output<(typeof OPERATIONS)[N]['output']>;

/** The agent as its commands see it: here in this process, or the daemon behind its socket. Failures throw OperationError. */
export type AgentOperations = {
  readonly [N in OperationName]: (
    input: OperationInput<N>,
    signal: AbortSignal,
  ) => Promise<OperationOutput<N>>;
};
