import type { FlowSpec } from '../schemas/flow-spec.ts';
import type { Executor, RunHandle, RunRecord, RunSettings, VersionStore } from './ports.ts';
import type { RunLease } from './run-version.ts';

const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;

/** Milliseconds before the attempt after `attempt` (from 1): 1 s doubling to 60 s, give or take a quarter. */
export function retryDelayMs(attempt: number, uniform: number): number {
  const ms = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.min(RETRY_MAX_MS, Math.round(ms * (0.75 + 0.5 * uniform)));
}

/** How long a run of an earlier life still waits. Never longer than any retry does, whatever the clock did since. */
export function retryWaitMs(nextAttemptAt: string | null | undefined, now: Date): number {
  if (nextAttemptAt == null) return 0;
  return Math.min(RETRY_MAX_MS, Math.max(0, Date.parse(nextAttemptAt) - now.getTime()));
}

export interface AttemptParts {
  readonly store: Pick<VersionStore, 'absolute'>;
  readonly executors: ReadonlyMap<FlowSpec['runtime'], Executor>;
  readonly tenant: string;
  readonly settings: () => RunSettings;
  /** Flow secrets by name, read anew for each attempt. */
  readonly secrets: () => Promise<Readonly<Record<string, string>>>;
  readonly runDirectory: (runId: string, attempt: number) => string;
}

/** What an attempt of a run goes by: its record with the version it holds. */
export type LeasedRun = RunRecord & RunLease & { readonly traceparent: string };

/** Starts one attempt; a text says why this cannot be done at all, on any attempt. Rejects as the executor does, also for `signal`. */
export async function beginAttempt(
  parts: AttemptParts,
  run: LeasedRun,
  signal: AbortSignal,
): Promise<RunHandle | string> {
  const { spec } = run;
  const secrets = await secretsOf(parts, spec);
  if (typeof secrets === 'string') return secrets;
  const executor = parts.executors.get(spec.runtime);
  if (executor === undefined) return `expected an executor for runtime ${spec.runtime}, found none`;
  return executor.start(
    {
      spec,
      directory: parts.store.absolute(run.path),
      entrypoint: run.entrypoint,
      runId: run.run_id,
      attempt: run.attempt,
      tenant: parts.tenant,
      version: run.version,
      runDirectory: parts.runDirectory(run.run_id, run.attempt),
      input: run.input,
      timeoutMs: run.timeout_ms ?? spec.timeout ?? parts.settings().defaultTimeoutMs,
      secrets,
      traceparent: run.traceparent,
      signal,
    },
    parts.settings(),
  );
}

async function secretsOf(parts: AttemptParts, spec: FlowSpec): Promise<Record<string, string> | string> {
  const known = spec.secrets.length === 0 ? {} : await parts.secrets();
  const missing = spec.secrets.filter((name) => known[name] === undefined);
  if (missing.length > 0) {
    return `expected ${missing.join(', ')} in credentials_dir/secrets.yaml, found no such secret; add it and trigger again`;
  }
  return Object.fromEntries(spec.secrets.map((name) => [name, known[name] as string]));
}
