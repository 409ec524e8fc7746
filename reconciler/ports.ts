import type { Command } from '../schemas/command.ts';
import type { Current, Held } from '../schemas/current.ts';
import type { Event, EventDraft } from '../schemas/event.ts';
import type { FlowSpec } from '../schemas/flow-spec.ts';
import type { CommandRefusalCode, RefusalCode, RetryCode, StallCode } from '../schemas/reasons.ts';
import type { ReleaseStatement } from '../schemas/release.ts';
import type { RunOutput, RunReport, RunState, RunStatus, RunSummary } from '../schemas/run.ts';
import type { ServiceStatus } from '../schemas/service.ts';
import type { CommitInfo, Status, TrustMode } from '../schemas/status.ts';
import type { AgentHello, ConsoleHello, RunLog, RunLogAck, RunStarted } from '../schemas/tunnel-frame.ts';

// ---------------------------------------------------------------------------------------------------------------------
// Consequences: every expected failure is named by what follows from it, not by where it came from (design.md).

/** It will be tried again by itself, after `afterMs` when the other side named a wait, else after the backoff. Exit 5. */
export interface Retry {
  readonly kind: 'retry';
  readonly code: RetryCode;
  readonly message: string;
  readonly afterMs?: number;
}
/** A person must act; a newer revision is tried at once. Exit 4. */
export interface Stalled {
  readonly kind: 'stalled';
  readonly code: StallCode;
  readonly message: string;
  /** The one rule behind a code that stands for many (store/archive/archive-rules.ts). */
  readonly rule?: string;
}
/** Not believed, or not allowed: what is active stays. Exit 3. */
export interface Refused {
  readonly kind: 'refused';
  readonly code: RefusalCode;
  readonly message: string;
}
export type Setback = Retry | Stalled | Refused;

// ---------------------------------------------------------------------------------------------------------------------
// Time and chance

export interface Clock {
  now(): Date;
  /** Milliseconds from an arbitrary start that never go back. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface Chance {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** RFC 9562 UUIDv7. */
  uuidv7(): string;
}

// ---------------------------------------------------------------------------------------------------------------------
// Sources: what should be true

/** The files a source reads by path, all from one commit. `roots/<n>.root.jws.json` come beside these. */
export const MANIFEST_FILE = 'manifest.json';
export const RELEASE_FILE = 'release.jws.json';
export const POLICY_FILE = 'agent-policy.yaml';
/** Matches `roots/<n>.root.jws.json` with n a decimal without leading zeros. */
export const ROOT_FILE = /^roots\/([1-9]\d{0,8})\.root\.jws\.json$/;
/** What is read instead of statement and roots with `trust.mode: tuf` (docs/spec/tuf.md). */
export const TUF_FOLDER = 'metadata';
export const TUF_TIMESTAMP_FILE = `${TUF_FOLDER}/timestamp.json`;
export const TRIGGER_KEYS_FILE = 'trigger-keys.json';

export interface Snapshot {
  /** `tenant/<slug>@sha1:<40 hex>` or `tenant/<slug>@sha256:<64 hex>`. */
  readonly revision: string;
  /** Of every file read: equal fingerprints mean nothing changed. The revision for git; covers statement and policy for http. */
  readonly fingerprint: string;
  readonly commit: CommitInfo | null;
  /** Short names of the tags that point at this commit (annotated ones peeled), unsorted. Always empty for http. */
  readonly tags: readonly string[];
  /** By path: raw bytes of the files that exist. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export type Observation =
  | { readonly kind: 'found'; readonly revision: string; readonly fingerprint: string }
  /** The server answers, and there is no such branch (git) or manifest (http). */
  | { readonly kind: 'absent'; readonly message: string }
  | Setback;

/** Where the desired state comes from. Contract suite: test/contract/desired-source.ts. */
export interface DesiredSource {
  readonly kind: 'git' | 'http';
  /** The no-change check: at most two requests, nothing written. */
  observe(signal: AbortSignal): Promise<Observation>;
  /**
   * The files of what `observe` found: from the cache when they are there, else fetched, checked whole, and only then kept.
   * `rewritten`: the branch no longer grows from the commit read before (`HistoryRewritten`); `seq` protects, not this.
   */
  read(
    found: { revision: string; fingerprint: string },
    signal: AbortSignal,
  ): Promise<{ kind: 'read'; snapshot: Snapshot; rewritten?: boolean } | Setback>;
  /** The files of an earlier revision when the cache still has them, without network. */
  recall(revision: string): Promise<Snapshot | null>;
  /** The weekly clean-up of tags and of what nothing reaches. Deleted tag names and freed bytes; http frees nothing. */
  cleanUp(
    now: Date,
    keepDays: number,
    dryRun: boolean,
  ): Promise<{ tags: string[]; objects: number; bytes: number }>;
}

/** `GET /api/branch-exists` of the SaaS, asked when the source finds no branch. */
export interface BranchCheck {
  exists(slug: string, signal: AbortSignal): Promise<'exists' | 'missing' | 'unknown'>;
}

export interface FetchProgress {
  readonly flow: string;
  readonly bytes: number;
  /** Total bytes when the server or the manifest says so. */
  readonly total: number | null;
}

/** A bundle on its way to disk; the store opens it, a fetcher fills it. */
export interface PartialDownload {
  readonly sha256: string;
  /** Bytes that are there already; writing goes on after them. */
  readonly offset: number;
  /** The strong validator (ETag) those bytes came with, or null when they cannot be resumed. */
  readonly validator: string | null;
  /** Forgets what is there (offset 0) and notes the validator of what comes now. */
  restart(validator: string | null): Promise<void>;
  write(chunk: Uint8Array): Promise<void>;
  /** Hashes the whole, fsyncs and renames when it matches; removes it when it does not. ENOSPC throws `DiskFullError`. */
  finish(): Promise<{ kind: 'verified'; bytes: number } | { kind: 'mismatch'; found: string; bytes: number }>;
  /** Closes it and leaves the bytes for a later resume. Safe to call after finish. */
  keep(): Promise<void>;
}

export interface BundleRequest {
  readonly flow: string;
  readonly url: string;
  readonly sha256: string;
  readonly size: number | null;
}

/** Brings a bundle's bytes. Contract suite: test/contract/bundle-source.ts. */
export interface BundleSource {
  /** Refused: URL (or a redirect) outside the allow-list. Asked at plan time too, so that a dry run says it. */
  allows(url: string): Refused | null;
  fetch(
    request: BundleRequest,
    into: PartialDownload,
    options: { signal: AbortSignal; onProgress?: (progress: FetchProgress) => void },
  ): Promise<{ kind: 'fetched'; bytes: number } | { kind: 'mismatch'; message: string } | Setback>;
}

// ---------------------------------------------------------------------------------------------------------------------
// Trust: whether to believe it

export interface AcceptedRoot {
  readonly version: number;
  /** Of the decoded payload: another document of the same version is refused. */
  readonly payload_sha256: string;
  /** The exact text of the JWS document. */
  readonly document: string;
}

/** Of a TUF repository: metadata that was believed, for what comes after it to be held against. */
export interface TufMemory {
  /** Roots accepted after the pinned one, by version. */
  readonly roots: readonly AcceptedRoot[];
  /** The newest of every role and set of its keys; one that the keys of today did not sign counts for nothing. */
  readonly marks: readonly {
    readonly role: 'timestamp' | 'snapshot';
    /** SHA-256 that names the set of the role's key ids. */
    readonly keys: string;
    readonly version: number;
    readonly payload_sha256: string;
    /** The exact text of the file. */
    readonly document: string;
  }[];
  /** `trigger-keys.json` as of the newest release of a set of timestamp keys; null when that release has none. */
  readonly trigger_keys: readonly {
    readonly keys: string;
    readonly version: number;
    readonly document: string | null;
  }[];
}

/** What trust remembers between reconciles, in three places (contract, section 5); the highest of them counts. */
export interface TrustMemory {
  /** Roots accepted after the pinned one, by version. */
  readonly roots: readonly AcceptedRoot[];
  /** The highest `seq` seen of every release key set. `payload_sha256` is null when only `current.json` knew it. */
  readonly seq: readonly {
    readonly keys: string;
    readonly value: number;
    readonly payload_sha256: string | null;
  }[];
  /** The latest `issued` of an accepted statement: time never stands before it. */
  readonly latest_issued: string | null;
  /** `trust.mode: optional` latches here after the first signed release. */
  readonly signed_seen: boolean;
  /** `trust.mode: tuf` alone. */
  readonly tuf?: TufMemory | undefined;
}

export interface VerifiedRelease {
  readonly kind: 'verified';
  /** What was signed of the release. Null when the mode allows an unsigned release and this one is unsigned. */
  readonly statement: Pick<ReleaseStatement, 'seq' | 'expires' | 'version' | 'min_agent'> | null;
  readonly manifest: Uint8Array;
  /** The policy bytes the statement binds, else null. */
  readonly policy: Uint8Array | null;
  readonly rootVersion: number | null;
  /** For `current.json`. */
  readonly seq: { readonly keys: string; readonly value: number } | null;
  /** To be saved before anything else is done. */
  readonly memory: TrustMemory;
  readonly newRoots: readonly number[];
  readonly warnings: readonly {
    readonly reason: 'PolicyIgnored' | 'ReleaseExpiring';
    readonly message: string;
  }[];
}

/** A refusal may have learned something all the same (accepted roots); `memory` is saved then too. */
export type Verdict =
  | VerifiedRelease
  | (Refused & { readonly memory: TrustMemory; readonly newRoots: readonly number[] });

export interface ReleaseVerifier {
  readonly mode: TrustMode;
  verify(snapshot: Snapshot, memory: TrustMemory, now: Date): Promise<Verdict>;
}

export interface TrustMemoryStore {
  load(): Promise<TrustMemory>;
  /** Durable in the database and in the credentials folder when it resolves. Never lowers a `seq`. */
  save(memory: TrustMemory): Promise<void>;
}

// ---------------------------------------------------------------------------------------------------------------------
// Store: what is on disk

export interface VersionRecord {
  /** Directory name: `v1.0.7` or `v1.0.7+1a2b3c4d`. */
  readonly version: string;
  /** Null for the v1 layout. */
  readonly flow: string | null;
  readonly sha256: string;
  /** Relative to `<edge_cache_dir>/<slug>`, forward slashes. */
  readonly path: string;
  readonly bytes: number;
  readonly files: number;
  readonly unpacked_at: string;
  /** This agent unpacked it and knows what came out; false of a folder that only says so, as after a loss of state. */
  readonly made: boolean;
}

export interface UnpackCaps {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** One change of the pointer; null deactivates the flow. */
export interface PointerChange {
  readonly flow: string;
  readonly to: {
    readonly version: string;
    readonly sha256: string;
    readonly path: string;
    readonly revision: string;
    readonly held: Held | null;
  } | null;
}

export interface RecoveryReport {
  readonly removedStaging: number;
  readonly removedTrash: number;
  /** Flows of the pointer whose version was not complete on disk. */
  readonly damaged: readonly string[];
  /** True when the database was behind the pointer and was brought up. */
  readonly databaseFollowed: boolean;
}

/** Versions, the pointer and the downloads. Contract suite: test/contract/version-store.ts. */
export interface VersionStore {
  /** Replays the crash protocol; called once, under the lock, before anything else. */
  recover(now: Date): Promise<RecoveryReport>;
  /** The pointer as last written or read; cheap. */
  current(): Current;
  /** Complete versions on disk. */
  versions(): Promise<VersionRecord[]>;
  /** The absolute path of a version's folder. */
  absolute(path: string): string;
  /** The record when the folder at this path is complete. */
  record(path: string): Promise<VersionRecord | null>;
  /** True when a verified download of this digest is kept. */
  hasBundle(sha256: string): Promise<boolean>;
  /** Waits while another download of the digest is open. `size`, when known, is checked: throws `DiskFullError` when it cannot fit. */
  openDownload(sha256: string, size?: number | null): Promise<PartialDownload>;
  /**
   * Steps 4-6 of the crash protocol: list the kept bundle, refuse the bad, unpack, fsync, `.complete`, rename to `path`.
   * A complete folder of the same digest elsewhere is copied when the download is no longer kept.
   * `replace` puts the new folder in the place of one that drifted.
   */
  unpack(
    bundle: { sha256: string; path: string; flow: string | null; version: string; replace?: boolean },
    caps: UnpackCaps,
    signal: AbortSignal,
  ): Promise<{ kind: 'unpacked'; record: VersionRecord } | Setback>;
  /** Names of the regular files at the root of a version. */
  rootFiles(path: string): Promise<string[]>;
  hasFile(path: string, relative: string): Promise<boolean>;
  /**
   * Step 7: writes `current.json`. Concurrent calls are written together; resolves when the bytes are durable.
   * `previous` follows from what was active before (a rollback points at it). `alongside` runs synchronously in the
   * transaction in which the database follows the pointer (step 8: the outbox row). Rejects with `DiskFullError` or the
   * system's error, and then the pointer has not changed; or with the database's, and then it has: the next reconcile, or
   * the next start, brings the database up.
   */
  point(changes: readonly PointerChange[], seq: Current['seq'], alongside?: () => void): Promise<Current>;
  /** Sets the top `revision` (the last one applied in full) and `seq`. */
  markApplied(revision: string, seq: Current['seq']): Promise<Current>;
  setHeld(flow: string, held: Held | null): Promise<Current>;
  /**
   * `quick` compares presence and `.complete`; `deep` hashes the tree again; `touched` does so unless this process hashed it in
   * the last hours and the file system says that nothing in it was touched since.
   */
  check(
    path: string,
    depth: 'quick' | 'touched' | 'deep',
    signal: AbortSignal,
  ): Promise<{ kind: 'intact' } | { kind: 'drifted'; message: string }>;
  /** Into the trash, then removed. Refuses what the pointer names. */
  remove(path: string): Promise<number>;
  /** Downloads and partial downloads older than a day, and the trash. */
  sweep(
    now: Date,
    keepBundles: ReadonlySet<string>,
    dryRun: boolean,
  ): Promise<{ removed: number; bytes: number }>;
  /** Bytes used by the tenant's versions and the agent's state, and free on the file system. */
  disk(): Promise<{ used: number; free: number }>;
  /** Ends the unpacker child when there is one. */
  close(): Promise<void>;
}

/** Small JSON documents of the agent's own state (agent.db). Synchronous: SQLite on local disk, synchronous FULL. */
export interface StateDocuments {
  read(key: string): unknown;
  write(key: string, value: unknown): void;
  delete(key: string): void;
  /** Keys beginning with `prefix`, sorted, with their values. */
  list(prefix: string): { key: string; value: unknown }[];
  /** All or nothing; nested calls join the outer one. */
  transaction<T>(work: () => T): T;
  /** Done once the outermost transaction is on disk, at once outside of one, never when it is undone. */
  afterCommit(work: () => void): void;
}

export interface RunRecord extends RunSummary {
  readonly sha256: string | null;
  readonly revision: string | null;
  readonly spec: FlowSpec | null;
  /** Path of the version, relative; held by a lease while the run is not finished. */
  readonly path: string | null;
  readonly input: unknown;
  readonly timeout_ms: number | null;
  /** Process id and start token of the running attempt, for finding orphans after a crash. */
  readonly process: { readonly pid: number; readonly started: string } | null;
  /** Relative to the version; known with `spec`. */
  readonly entrypoint?: string | null;
  /** Of `revision`, where it is known. */
  readonly commit?: CommitInfo | null;
  /** What asked for it, as its events say: `command 0199…`, `schedule "0 6 * * *" of 2026-11-20T05:00:00.000Z`. */
  readonly because?: string | null;
  /** While it waits for another attempt (`queued`, `attempt` ≥ 1): not before then. */
  readonly next_attempt_at?: string | null;
  /** One trace for all attempts. */
  readonly traceparent?: string | null;
}

export interface RunStore {
  insert(run: RunRecord): void;
  update(runId: string, change: Partial<Omit<RunRecord, 'run_id'>>): void;
  get(runId: string): RunRecord | null;
  /** Newest first. */
  list(filter: { flow?: string; states?: readonly RunState[]; limit: number }): RunRecord[];
  count(state: RunState): number;
  /** Paths of the versions that runs hold which have not ended. */
  leases(): string[];
  /** Forgets finished runs that ended before `before`; their ids. */
  prune(before: Date): string[];
}

export type ReportKind = 'notify' | 'status' | 'events' | 'upload';

export interface QueuedReport {
  readonly id: number;
  readonly kind: ReportKind;
  readonly key: string;
  readonly body: unknown;
  readonly created_at: string;
  readonly attempts: number;
  readonly next_attempt_at: string;
  /** Why the last attempt failed. */
  readonly last_error?: string | null;
  readonly parked: string | null;
}

/** The durable queue behind the outbox. A key is queued once; `replace` keeps only the newest body of the kind. */
export interface ReportQueue {
  add(report: { kind: ReportKind; key: string; body: unknown; at: Date; replace?: boolean }): void;
  due(kind: ReportKind, now: Date, limit: number): QueuedReport[];
  /** When the next report of the kind that is not parked falls due. */
  nextDueAt(kind: ReportKind): Date | null;
  delivered(id: number): void;
  postpone(id: number, attempts: number, until: Date, error: string): void;
  park(id: number, reason: string): void;
  /** Parked reports become due again; how many. */
  unpark(at: Date): number;
  /** Everything waiting becomes due at once (after the configuration changed). */
  hurry(at: Date): void;
  list(limit: number): QueuedReport[];
  /** All that `work` does to the queue, or nothing; one wait for the disk. */
  together<T>(work: () => T): T;
  find(kind: ReportKind, key: string): QueuedReport | null;
  /** Those that failed and wait for their time, oldest first. */
  postponed(kind: ReportKind, now: Date): { id: number; key: string; until: Date }[];
  /** Without their bodies, oldest first: there may be thousands, of megabytes each. */
  overview(filter: { kind?: ReportKind; parkedOnly?: boolean; limit: number }): Omit<QueuedReport, 'body'>[];
  totals(): { pending: number; oldest_at: string | null; parked: number };
}

// ---------------------------------------------------------------------------------------------------------------------
// Executors: run it

export interface PreparedVersion {
  readonly spec: FlowSpec;
  /** Absolute folder of the version. */
  readonly directory: string;
  /** Entry point relative to the folder, resolved by the reconciler. */
  readonly entrypoint: string;
}

export interface RunRequest extends PreparedVersion {
  readonly runId: string;
  readonly attempt: number;
  readonly tenant: string;
  readonly version: string;
  /** `<state>/runs/<run_id>/<attempt>`, made by the executor, 0700. */
  readonly runDirectory: string;
  readonly input: unknown;
  readonly timeoutMs: number;
  readonly secrets: Readonly<Record<string, string>>;
  /** Arguments that replace the flow's own (health checks). */
  readonly args?: readonly string[];
  readonly traceparent: string;
  /** Ends what `start` waits for (an environment that is built): it rejects with the reason then. Afterwards `cancel` is what ends it. */
  readonly signal?: AbortSignal;
}

/** How flows run on this machine: from agent.yaml. */
export interface RunSettings {
  readonly concurrency: number;
  readonly defaultTimeoutMs: number;
  readonly graceMs: number;
  /** Bytes kept of each of stdout and stderr; the rest is counted. */
  readonly maxOutput: number;
  readonly allowRoot: boolean;
  readonly user: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly timezone: string | null;
  readonly proxy: string | null;
  readonly caFile: string | null;
  readonly python: {
    readonly interpreter: string;
    readonly minVersion: string;
    readonly installer: 'auto' | 'uv' | 'pip';
  };
  /** `auto`, or the path of a browser. */
  readonly playwright: { readonly browser: string };
}

export interface RunResult {
  readonly status: Exclude<RunStatus, 'lost'>;
  readonly exitCode: number | null;
  /** One sentence when it did not succeed: the signal, the timeout, why it could not start. */
  readonly reason: string | null;
  /** Kept output, redacted of secrets. */
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly truncated: { readonly stdout: number; readonly stderr: number };
  readonly outputs: readonly RunOutput[];
  readonly startedAt: Date;
  readonly finishedAt: Date;
}

export interface RunHandle {
  /** Null when it could not start. `started` tells the process from a later one of the same pid. */
  readonly process: { readonly pid: number; readonly started: string } | null;
  /** Interrupt, grace, then the whole tree is killed. */
  cancel(): void;
  /** Never rejects for what the flow does. */
  readonly done: Promise<RunResult>;
}

/** Runs one runtime. Contract suite: test/contract/executor.ts. */
export interface Executor {
  readonly runtime: FlowSpec['runtime'];
  /** Whether this machine can run it at all, asked before anything is downloaded. */
  supports(settings: RunSettings, signal: AbortSignal): Promise<{ kind: 'supported' } | Stalled>;
  /** Makes a version runnable (environments); asked before activation. */
  prepare(
    version: PreparedVersion,
    settings: RunSettings,
    signal: AbortSignal,
  ): Promise<{ kind: 'ready' } | Setback>;
  start(request: RunRequest, settings: RunSettings): Promise<RunHandle>;
}

// ---------------------------------------------------------------------------------------------------------------------
// Services: processes that are kept

/** A process of a service that was started, or was not (`process` null, `ended` resolved). */
export interface ServiceProcess {
  readonly process: RunHandle['process'];
  /** The loopback port it was given. */
  readonly port: number;
  /** One sentence, with the last lines it printed, when it has ended with everything it started. Never rejects. */
  readonly ended: Promise<string>;
  /**
   * Null when it answers: a GET of `path` on its port with 2xx or 3xx, or without a path a connection. Else what was found.
   * Takes `timeoutMs` at most.
   */
  probe(path: string | null, timeoutMs: number, signal: AbortSignal): Promise<string | null>;
  /** Interrupt, grace, then the whole tree is killed; `ended` tells when. */
  stop(): void;
}

/** Starts processes of services. `timeoutMs` of the request does not count: they run until they are stopped. */
export interface ServiceLauncher {
  launch(request: RunRequest, settings: RunSettings): Promise<ServiceProcess>;
}

/** What should be kept running: an active version of a flow of runtime `service`. */
export interface DesiredService extends PreparedVersion {
  readonly version: string;
  readonly sha256: string;
  /** Of the version, relative to `<edge_cache_dir>/<slug>`. */
  readonly path: string;
  readonly revision: string;
}

export type ServiceReplacement =
  | { readonly kind: 'ready' }
  /** What ran before still runs. `started` is false when this machine could not start it at all. */
  | { readonly kind: 'failed'; readonly message: string; readonly started: boolean }
  /** Nobody keeps services here: a command without a daemon. */
  | { readonly kind: 'unkept' };

/** Keeps the services of active versions running. */
export interface ServiceKeeper {
  /** False in a command without a daemon: nothing is ever started. */
  readonly keeps: boolean;
  /** Exactly these from now on; what is well goes on, what changed is replaced once its successor is ready. Does not wait. */
  apply(desired: readonly DesiredService[]): void;
  /**
   * Starts it beside what runs, waits until it is ready, then ends what ran; when it does not get ready it is ended and what
   * ran goes on. Ready at once when it is kept already, unless `again`. Rejects with the signal's reason.
   */
  replace(
    desired: DesiredService,
    options: { readonly again: boolean; readonly signal: AbortSignal },
  ): Promise<ServiceReplacement>;
  /** What failed (of one flow, or of all) is tried again at once; resolves when that is ready, or has failed again. */
  retry(flow: string | null): Promise<void>;
  /** Null when the flow is no service that is to be kept. */
  status(flow: string): ServiceStatus | null;
  /** Paths of versions that processes run from: clean-up goes round them. */
  leases(): readonly string[];
  /** Ends what an earlier life of the agent left; before anything is started. */
  recover(): Promise<void>;
  /** Stops all and waits for their ends. */
  close(): Promise<void>;
}

// ---------------------------------------------------------------------------------------------------------------------
// Commands: what a person or the console asks of this agent

/** A command that was not believed: nothing happened. */
export interface CommandRefused {
  readonly kind: 'refused';
  readonly code: CommandRefusalCode;
  readonly message: string;
  /** As the payload claims, when it could be read: for the event and the log, never to be acted upon. */
  readonly commandId: string | null;
}

export interface CommandVerifier {
  /**
   * Believes a compact JWS or says why not. `stateSince` is when this agent's state began: what was issued before is refused.
   * Pure but for cryptography; whether the command was taken before is the inbox's question.
   */
  verify(
    jws: string,
    at: {
      memory: TrustMemory;
      now: Date;
      agentId: string | null;
      stateSince: Date;
      /** The console's clock minus ours in milliseconds, as it says itself: it makes room, within bounds, and moves no time. */
      clockOffsetMs?: number;
      /** What expired by then is forgotten, so nothing of it is believed again. */
      forgottenUntil?: Date | null;
    },
  ): Promise<{ kind: 'verified'; command: Command; kid: string } | CommandRefused>;
}

/** A verified command on disk, remembered until it expires so that it is taken once. */
export interface StoredCommand {
  readonly command: Command;
  readonly via: CommandChannel;
  readonly receivedAt: string;
  readonly doneAt: string | null;
  /** What came of it, one sentence. */
  readonly outcome: string | null;
}

export type CommandChannel = 'websocket' | 'rathole' | 'frp';

export interface CommandStore {
  /** Durable when it returns. False when the `command_id` is there already. */
  insert(command: Command, via: CommandChannel, at: Date): boolean;
  get(commandId: string): StoredCommand | null;
  /** Persisted and not done, oldest first, at most `limit`. */
  pending(limit: number): StoredCommand[];
  /** What it asked for with is forgotten (`inputs` of a run); that it was taken is not. */
  done(commandId: string, at: Date, outcome: string): void;
  /** Forgets what is done and expired before `now`; how many. */
  prune(now: Date): number;
  /** The latest `expires` of a forgotten command: what expires no later may have been one, whatever the clock says now. */
  forgottenUntil(): Date | null;
  count(): { readonly pending: number; readonly all: number };
}

/** What became of a command that arrived; `accepted` and `repeated` are on disk when it is given. */
export type CommandReceipt =
  | { readonly kind: 'accepted'; readonly commandId: string }
  | { readonly kind: 'repeated'; readonly commandId: string }
  | { readonly kind: 'busy'; readonly message: string; readonly afterMs: number }
  | CommandRefused;

/** Received → verified → persisted → (acknowledged by the channel) → done. Contract suite: test/contract/command-channel.ts. */
export interface CommandInbox {
  receive(jws: string, via: CommandChannel): Promise<CommandReceipt>;
}

// ---------------------------------------------------------------------------------------------------------------------
// Tunnel: triggers in, progress out

export type TunnelState = 'none' | 'connecting' | 'connected' | 'disconnected';

/** An outbound-only connection through which commands arrive. */
export interface Tunnel {
  /** Connects, and connects again, until the signal aborts. Never rejects for what the other side does. */
  run(signal: AbortSignal): Promise<void>;
  state(): { readonly state: TunnelState; readonly since: string | null; readonly message: string | null };
}

/** An open connection, as what is sent through it sees it. Only a WebSocket carries frames. */
export interface TunnelLink {
  /**
   * Takes one frame, or none: false when more than the link's buffer waits to be sent, until `drained` is told. `id` is given
   * when the frame is to be acknowledged by it.
   */
  send(type: string, data: unknown, id?: string): boolean;
}

/** What the tunnel tells and asks of the agent. Nothing here may throw or wait, but for `command`. */
export interface TunnelPeer {
  hello(): AgentHello;
  command(jws: string): Promise<CommandReceipt>;
  reconcileRequested(revision: string | null): void;
  /** After both hellos. The link is dead when `closed` is told. */
  opened(link: TunnelLink, hello: ConsoleHello): void;
  closed(): void;
  drained(): void;
  acknowledged(ids: readonly string[]): void;
  logAcknowledged(position: RunLogAck): void;
  /** The state changed: the status says it. */
  stateChanged(): void;
}

/** Hears of runs as they begin and end. Must not throw and must not wait: a slow console never holds a run. */
export interface RunListener {
  started(run: RunStarted): void;
  completed(report: RunReport): void;
}

/** What goes out through a tunnel while there is one, bounded whatever the console does (sinks/tunnel-feed.ts). */
export interface TunnelFeed extends RunListener {
  statusChanged(status: () => Status): void;
}

/** Reads what a run printed, redacted and capped, as it is on disk. */
export interface RunOutputReader {
  /** At most `limit` bytes from `offset`; empty when there are no more yet. */
  read(
    position: Pick<RunLog, 'run_id' | 'attempt' | 'stream' | 'offset'>,
    limit: number,
  ): Promise<Uint8Array>;
}

// ---------------------------------------------------------------------------------------------------------------------
// Sinks: tell the world

export interface EventSink {
  /**
   * In the file, in order, when the call returns; on disk (fdatasync) then too, or in a burst some milliseconds later, and
   * nobody reads an event before it is. Never throws for a full disk (it says so in the log). A repetition is counted, not written.
   */
  emit(draft: EventDraft): void;
}

export interface EventHistory {
  readonly logId: string;
  nextSeq(): number;
  /** Events with seq ≥ from, at most limit, oldest first; fewer when rotation has dropped them. */
  read(from: number, limit: number): Promise<Event[]>;
  /** The last `count` events, oldest first. */
  tail(count: number): Promise<Event[]>;
}

export interface ReportSink {
  run(report: RunReport): void;
  /** The status changed (conditions or versions): send it at once. */
  statusChanged(): void;
}

export interface ProgressSink {
  phase(flow: string, phase: string, message?: string): void;
  fetching(progress: FetchProgress): void;
}
