import type { ConsoleSettings } from '../../schemas/console/settings.ts';
import type { ConsoleLimits } from '../limits.ts';
import { TenantFault } from '../tenants.ts';

/** What `serve` takes on its command line; what is not given is as the file has it. */
export interface ServeChoices {
  readonly host?: string;
  readonly port?: number;
  readonly publicUrl?: string;
  readonly tlsKey?: string;
  readonly tlsCert?: string;
  readonly logLevel?: ConsoleSettings['log']['level'];
}

/** The file's settings with those of the command line over them. */
export function overruled(settings: ConsoleSettings, choices: ServeChoices): ConsoleSettings {
  const { tlsKey, tlsCert } = choices;
  if ((tlsKey === undefined) !== (tlsCert === undefined)) {
    throw new TenantFault('expected --tls-key and --tls-cert together, found one of them');
  }
  const tls =
    tlsKey === undefined || tlsCert === undefined ? settings.tls : { key_file: tlsKey, cert_file: tlsCert };
  return {
    ...settings,
    listen: { host: choices.host ?? settings.listen.host, port: choices.port ?? settings.listen.port },
    public_url: choices.publicUrl ?? settings.public_url,
    tls,
    log: { level: choices.logLevel ?? settings.log.level },
  };
}

/** The bounds that can be set; those that are missing here are as `console/limits.ts` has them. */
export function limitsOf({ keep, sessions, uploads, artifacts }: ConsoleSettings): Partial<ConsoleLimits> {
  return {
    sessionIdleMs: sessions.idle,
    sessionMaxMs: sessions.max,
    uploadBytes: uploads.max_bytes,
    uploadAgentBytes: uploads.max_bytes_per_agent,
    artifactBytes: artifacts.max_bytes,
    keepRuns: keep.runs,
    keepRunBytes: keep.run_bytes,
    keepEvents: keep.events,
    keepCommands: keep.commands,
    keepAgentLogBytes: keep.log_bytes_per_agent,
    keepLogBytes: keep.log_bytes,
    keepAudit: keep.audit,
  };
}
