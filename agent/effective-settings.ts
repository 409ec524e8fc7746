import { userInfo } from 'node:os';
import type { ReconcileSettings } from '../reconciler/context.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import type { AgentPolicy } from '../schemas/agent-policy.ts';
import type { AgentPaths } from './paths.ts';
import { AGENT_VERSION, cpuArch } from './version.ts';

export interface EffectiveSettings extends ReconcileSettings {
  readonly intervalMs: number;
}

/** Flows worked on at the same time: enough to hide the network, few enough for a small machine. */
const PARALLEL_FLOWS = 8;

/**
 * agent.yaml with a believed `agent-policy.yaml` under it: a key that the local file writes wins over the policy, the policy
 * wins over defaults (contract, section 2). `written` holds the dotted keys that the local file writes.
 */
export function effectiveSettings(
  config: AgentConfig,
  written: ReadonlySet<string>,
  policy: AgentPolicy | null,
  paths: AgentPaths,
  options: { deepCheck: boolean },
): EffectiveSettings {
  const pick = <T>(key: string, local: T, bound: T | undefined): T =>
    bound === undefined || written.has(key) ? local : bound;
  const { runs, retention } = config;
  return {
    tenant: config.tenant,
    locale: config.locale ?? systemLocale(),
    labels: config.labels,
    arch: cpuArch(),
    agentVersion: AGENT_VERSION,
    timezone: config.timezone ?? null,
    windows: pick('maintenance.windows', config.maintenance.windows, policy?.maintenance?.windows),
    retention: {
      keep_versions: pick(
        'retention.keep_versions',
        retention.keep_versions,
        policy?.retention?.keep_versions,
      ),
      keep_days: pick('retention.keep_days', retention.keep_days, policy?.retention?.keep_days),
      max_bytes: pick('retention.max_bytes', retention.max_bytes, policy?.retention?.max_bytes),
      schedule: pick('retention.schedule', retention.schedule, policy?.retention?.schedule),
    },
    caps: { maxBytes: config.artifacts.max_unpacked_bytes, maxFiles: config.artifacts.max_files },
    runs: {
      concurrency: pick('runs.concurrency', runs.concurrency, policy?.runs?.concurrency),
      defaultTimeoutMs: pick('runs.default_timeout', runs.default_timeout, policy?.runs?.default_timeout),
      graceMs: runs.grace,
      maxOutput: runs.max_output,
      allowRoot: runs.allow_root,
      user: runs.user ?? null,
      env: runs.env,
      timezone: config.timezone ?? null,
      proxy: config.network.proxy ?? null,
      caFile: paths.caFile,
      python: {
        interpreter: config.executors.python.interpreter,
        minVersion: config.executors.python.min_version,
        installer: config.executors.python.installer,
      },
      playwright: { browser: config.executors.playwright.browser },
    },
    rollbackOn: pick('runs.rollback_on', runs.rollback_on, policy?.runs?.rollback_on),
    parallelFlows: PARALLEL_FLOWS,
    deepCheck: options.deepCheck,
    intervalMs: pick('source.interval', config.source.interval, policy?.source?.interval),
  };
}

/** `fr` when LC_ALL or LANG says French, else `en`. */
export function systemLocale(environment: NodeJS.ProcessEnv = process.env): 'fr' | 'en' {
  const said = environment['LC_ALL'] || environment['LC_MESSAGES'] || environment['LANG'] || '';
  return /^fr(?:[_.@-]|$)/i.test(said) ? 'fr' : 'en';
}

/** The account the agent runs as, for messages and `by`. */
export function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
