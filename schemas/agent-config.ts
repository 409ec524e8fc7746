import { z } from 'zod';
import { RetentionFields, RollbackOn } from './agent-policy.ts';
import { Cron } from './cron.ts';
import { Duration, PositiveDuration } from './duration.ts';
import { Id, Slug } from './names.ts';
import { PositiveSize } from './size.ts';
import { FrpTunnel, RatholeTunnel } from './tunnel-client.ts';
import { ArtifactPrefix, isLoopback, SecureUrl, TunnelUrl } from './urls.ts';

const Path = z.string().min(1).max(4_096);
const EnvName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'expected a variable name such as REPORT_LANGUAGE');

/** `127.0.0.1:9464`: the agent listens on loopback at most (contract, section 8). */
const LoopbackAddress = z.string().refine((text) => {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  return host !== undefined && isLoopback(host) && Number(port) <= 65_535;
}, 'expected a loopback address and port such as 127.0.0.1:9464');

export const Source = z.strictObject({
  kind: z.enum(['git', 'http']).default('git'),
  url: SecureUrl,
  interval: PositiveDuration.prefault('1m'),
  timeout: PositiveDuration.prefault('60s'),
});

export const Tunnel = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('websocket'), url: TunnelUrl.optional() }),
  RatholeTunnel,
  FrpTunnel,
]);

const AgentKeys = z.strictObject({
  version: z.literal(1, 'expected 1, the only version of agent.yaml there is'),
  tenant: Slug,
  agent_id: Id.optional(),
  labels: z.record(z.string().regex(/^[A-Za-z0-9._/-]{1,63}$/), z.string().max(255)).default({}),
  locale: z.enum(['fr', 'en']).optional(),
  timezone: z
    .string()
    .refine(isTimeZone, 'expected a time zone of the IANA list, such as Europe/Paris')
    .optional(),
  saas_url: SecureUrl.optional(),
  credentials_dir: Path.default('./credentials'),
  edge_cache_dir: Path.default('~/EdgeFlows'),
  source: Source,
  trust: z
    .strictObject({
      mode: z.enum(['required', 'optional', 'off', 'tuf']).default('required'),
      root: Path.optional(),
    })
    .prefault({}),
  artifacts: z
    .strictObject({
      allow: z.array(ArtifactPrefix).max(64).optional(),
      endpoint: SecureUrl.optional(),
      region: z.string().min(1).max(64).default('us-east-1'),
      max_bytes: PositiveSize.prefault('2GiB'),
      max_unpacked_bytes: PositiveSize.prefault('8GiB'),
      max_files: z.int().min(1).max(10_000_000).default(200_000),
    })
    .prefault({}),
  network: z.strictObject({ ca_file: Path.optional(), proxy: z.string().optional() }).prefault({}),
  tunnel: Tunnel.prefault({ kind: 'none' }),
  runs: z
    .strictObject({
      concurrency: z.int().min(1).max(64).default(2),
      default_timeout: PositiveDuration.prefault('15m'),
      grace: Duration.prefault('10s'),
      max_output: PositiveSize.prefault('8MiB'),
      allow_root: z.boolean().default(false),
      user: z.string().min(1).max(64).optional(),
      env: z.record(EnvName, z.string()).default({}),
      rollback_on: RollbackOn.default('health'),
    })
    .prefault({}),
  retention: z
    .strictObject({
      keep_versions: RetentionFields.keep_versions.default(3),
      keep_days: RetentionFields.keep_days.default(30),
      max_bytes: RetentionFields.max_bytes.optional(),
      schedule: RetentionFields.schedule.default('0 3 * * 0'),
    })
    .prefault({}),
  maintenance: z
    .strictObject({
      windows: z.array(Cron).min(1, 'expected at least one window, or no list for always').max(64).optional(),
    })
    .prefault({}),
  executors: z
    .strictObject({
      python: z
        .strictObject({
          interpreter: z.string().min(1).default('auto'),
          min_version: z
            .string()
            .regex(/^\d+\.\d+(\.\d+)?$/, 'expected a version such as "3.11"')
            .default('3.11'),
          installer: z.enum(['auto', 'uv', 'pip']).default('auto'),
        })
        .prefault({}),
      playwright: z.strictObject({ browser: z.string().min(1).default('auto') }).prefault({}),
    })
    .prefault({}),
  uploads: z
    .strictObject({
      enabled: z.boolean().default(false),
      max_bytes: PositiveSize.prefault('100MiB'),
      paths: z.array(Path).max(64).default([]),
    })
    .prefault({}),
  update: z
    .strictObject({
      enabled: z.boolean().default(true),
      channel: z.string().min(1).default('stable'),
      interval: PositiveDuration.prefault('24h'),
    })
    .prefault({}),
  telemetry: z
    .strictObject({ metrics: LoopbackAddress.optional(), otlp_endpoint: SecureUrl.optional() })
    .prefault({}),
  log: z
    .strictObject({
      level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
      dir: Path.default('platform'),
      max_files: z.int().min(1).max(1_000).default(10),
      max_size: PositiveSize.prefault('10MiB'),
    })
    .prefault({}),
});
/**
 * `agent.yaml` (contract, section 2). What users write is parsed strictly: an unknown key is an error.
 * Durations come out in milliseconds, sizes in bytes; paths are still as written.
 */
export const AgentConfig = AgentKeys.superRefine(({ tunnel, saas_url: saasUrl }, context) => {
  // A key that is misspelt has been said already.
  if (context.issues.length > 0) return;
  if (tunnel.kind !== 'websocket' || tunnel.url !== undefined || saasUrl !== undefined) return;
  const message = 'expected saas_url (the tunnel is at <saas_url>/edge/tunnel) or tunnel.url, found neither';
  context.addIssue({ code: 'custom', path: ['tunnel'], message });
});
export type AgentConfig = z.infer<typeof AgentConfig>;
/** What a person may write: the same keys, durations and sizes as text, defaults optional. */
export type AgentConfigInput = z.input<typeof AgentConfig>;

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
