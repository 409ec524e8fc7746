import { z } from 'zod';
import { Cron } from '../cron.ts';
import { PositiveDuration } from '../duration.ts';
import { PositiveSize } from '../size.ts';
import { urlFault } from '../urls.ts';

const Path = z.string().min(1).max(4_096);

/** An address without a path: what agents put their own paths behind. */
const Origin = z.string().superRefine((text, context) => {
  const fault = urlFault(text);
  if (fault !== null) context.addIssue({ code: 'custom', message: fault });
  else if (new URL(text).origin !== text) {
    const message = `expected an origin such as https://console.example, without a path or a slash at the end, found ${text}`;
    context.addIssue({ code: 'custom', message });
  }
});

/** `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`, `loopback`. */
const ProxyAddress = z
  .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6(), z.literal('loopback')])
  .meta({ examples: ['10.1.2.3', '10.0.0.0/8', 'loopback'] });
const ProxyText = z
  .string()
  .refine(
    (text) => ProxyAddress.safeParse(text).success,
    'expected an address such as 10.1.2.3, a network such as 10.0.0.0/8, or loopback',
  );

const count = (most: number) => z.int().min(1).max(most);

/**
 * `console.yaml` (docs/spec/console-yaml.md): what the console is started with. Everything has a default; an option of the command
 * wins. Bounds are per agent where nothing else is said.
 */
export const ConsoleSettings = z.strictObject({
  version: z.literal(1, 'expected 1, the only version of console.yaml there is'),
  data: Path.default('./console-data'),
  listen: z
    .strictObject({
      host: z.string().min(1).max(253).default('127.0.0.1'),
      port: z.int().min(0).max(65_535).default(8_080),
    })
    .prefault({}),
  public_url: Origin.optional(),
  tls: z.strictObject({ key_file: Path, cert_file: Path }).optional(),
  trusted_proxies: z.array(ProxyText).max(64).default([]),
  log: z
    .strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('warn') })
    .prefault({}),
  sessions: z
    .strictObject({ idle: PositiveDuration.prefault('12h'), max: PositiveDuration.prefault('7d') })
    .prefault({}),
  backup: z
    .strictObject({
      dir: Path,
      schedule: Cron.default('0 3 * * *'),
      keep: count(1_000).default(7),
    })
    .optional(),
  uploads: z
    .strictObject({
      max_bytes: PositiveSize.prefault('2GiB'),
      max_bytes_per_agent: PositiveSize.prefault('10GiB'),
    })
    .prefault({}),
  artifacts: z.strictObject({ max_bytes: PositiveSize.prefault('2GiB') }).prefault({}),
  keep: z
    .strictObject({
      runs: count(1_000_000).default(5_000),
      run_bytes: PositiveSize.prefault('1GiB'),
      events: count(100_000_000).default(100_000),
      commands: count(1_000_000).default(1_000),
      log_bytes_per_agent: PositiveSize.prefault('512MiB'),
      log_bytes: PositiveSize.prefault('8GiB'),
      audit: count(100_000_000).default(100_000),
    })
    .prefault({}),
});
export type ConsoleSettings = z.infer<typeof ConsoleSettings>;
