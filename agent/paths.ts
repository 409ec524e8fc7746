import { createHash } from 'node:crypto';
import { homedir, userInfo } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { AgentConfig } from '../schemas/agent-config.ts';

/** `sockaddr_un` holds 108 bytes on Linux and 104 on macOS, with the closing NUL. */
const SOCKET_PATH_MAX_BYTES = 103;

export interface AgentPaths {
  readonly config: string;
  readonly credentials: string;
  readonly cache: string;
  /** `<edge_cache_dir>/.agent` */
  readonly state: string;
  readonly database: string;
  readonly lock: string;
  readonly runs: string;
  readonly git: string;
  readonly root: string | null;
  readonly caFile: string | null;
  /** Of the log; null means the platform's place. */
  readonly log: string | null;
  /** The control socket, or the named pipe on Windows. */
  readonly socket: string;
}

/** Where agent.yaml is when `--config` does not say: here, else the platform's place (contract, section 10). */
export function platformConfigPath(environment: NodeJS.ProcessEnv = process.env): string {
  if (process.platform === 'win32')
    return join(environment['PROGRAMDATA'] ?? 'C:\\ProgramData', 'EdgeAgent', 'agent.yaml');
  if (process.platform === 'darwin')
    return join(homedir(), 'Library', 'Application Support', 'EdgeAgent', 'agent.yaml');
  if (process.getuid?.() === 0) return '/etc/edge-agent/agent.yaml';
  return join(environment['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'edge-agent', 'agent.yaml');
}

/** A path of agent.yaml: `~` is the home of the account, the rest is relative to the file. */
export function configPath(written: string, configFile: string): string {
  if (written === '~') return homedir();
  if (written.startsWith('~/') || written.startsWith('~\\')) return join(homedir(), written.slice(2));
  return isAbsolute(written) ? written : resolve(dirname(configFile), written);
}

export function agentPaths(config: AgentConfig, configFile: string): AgentPaths {
  const at = (written: string) => configPath(written, configFile);
  const cache = at(config.edge_cache_dir);
  const state = join(cache, '.agent');
  return {
    config: configFile,
    credentials: at(config.credentials_dir),
    cache,
    state,
    database: join(state, 'agent.db'),
    lock: join(state, 'lock'),
    runs: join(state, 'runs'),
    git: join(state, 'git'),
    root: config.trust.root === undefined ? null : at(config.trust.root),
    caFile: config.network.ca_file === undefined ? null : at(config.network.ca_file),
    log: config.log.dir === 'platform' ? null : at(config.log.dir),
    socket: socketPath(state),
  };
}

/**
 * `agent.sock` in the state directory, or a short path of the account's own where the platform limits its length. It depends
 * on nothing but the state directory and the account: a daemon and a command must find the same one in any environment.
 */
export function socketPath(state: string): string {
  const digest = createHash('sha256').update(state).digest('hex').slice(0, 16);
  if (process.platform === 'win32') return `\\\\.\\pipe\\edge-agent-${digest}`;
  const usual = join(state, 'agent.sock');
  if (Buffer.byteLength(usual) <= SOCKET_PATH_MAX_BYTES) return usual;
  return join('/tmp', `edge-agent-${userInfo().uid}`, `${digest}.sock`);
}
