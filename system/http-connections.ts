import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { isLoopback } from '../schemas/urls.ts';

const SOCKETS_PER_ORIGIN = 16;
const IDLE_SOCKETS = 4;
const IDLE_SOCKET_MS = 90_000;

export interface ConnectionOptions {
  /** PEM file of further certificates to believe, beside the system's (`network.ca_file`). */
  readonly caFile?: string;
  /** `network.proxy`: for every host that NO_PROXY does not name, loopback included. */
  readonly proxy?: string;
  /** Where HTTPS_PROXY, HTTP_PROXY and NO_PROXY (and their lower case) are looked up. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface Connections {
  agentFor(url: URL): HttpAgent;
  /** The same for a connection that is upgraded. A forwarding proxy passes on no upgrade, so plain http (loopback only) goes direct. */
  agentForUpgrade(url: URL): HttpAgent;
  /** True when a proxy is set for the URL's scheme and the host is not loopback; NO_PROXY may still exempt it. */
  proxied(url: URL): boolean;
  close(): void;
}

/**
 * Keep-alive connections, direct or through a proxy (CONNECT for https), believing the system's certificates.
 * Everything is made at first use: a process that never speaks TLS never parses 150 certificates.
 */
export function createConnections(options: ConnectionOptions): Connections {
  const proxyEnv = proxyEnvironment(options);
  const agents = new Map<string, HttpAgent>();
  let context: SecureContext | null = null;

  const isProxied = (url: URL) => {
    const proxy = url.protocol === 'https:' ? proxyEnv.HTTPS_PROXY : proxyEnv.HTTP_PROXY;
    if (proxy === undefined) return false;
    // Programs on this machine are not behind the proxy of the environment; whoever writes network.proxy means it.
    return options.proxy !== undefined || !isLoopback(url.hostname);
  };
  const make = (secure: boolean, proxied: boolean) => {
    const shared = {
      keepAlive: true,
      maxSockets: SOCKETS_PER_ORIGIN,
      maxFreeSockets: IDLE_SOCKETS,
      timeout: IDLE_SOCKET_MS,
      ...(proxied ? { proxyEnv } : {}),
    };
    if (!secure) return new HttpAgent(shared);
    context ??= createSecureContext({ ca: believedCertificates(options.caFile) });
    return new HttpsAgent({ ...shared, secureContext: context, rejectUnauthorized: true });
  };

  const kept = (secure: boolean, proxied: boolean) => {
    const key = `${secure}:${proxied}`;
    const agent = agents.get(key) ?? make(secure, proxied);
    agents.set(key, agent);
    return agent;
  };

  return {
    agentFor: (url) => kept(url.protocol === 'https:', isProxied(url)),
    agentForUpgrade(url) {
      const secure = url.protocol === 'https:';
      return kept(secure, secure && isProxied(url));
    },
    proxied: isProxied,
    close() {
      for (const agent of agents.values()) agent.destroy();
      agents.clear();
    },
  };
}

function proxyEnvironment(options: ConnectionOptions) {
  const named = (name: string) => {
    const value = options.environment[name.toLowerCase()] ?? options.environment[name];
    return value === undefined || value === '' ? undefined : value;
  };
  return {
    HTTP_PROXY: options.proxy ?? named('HTTP_PROXY'),
    HTTPS_PROXY: options.proxy ?? named('HTTPS_PROXY'),
    NO_PROXY: named('NO_PROXY'),
  };
}

/** The system's store (Node's own list where there is none), NODE_EXTRA_CA_CERTS, and the configured file. */
function believedCertificates(caFile: string | undefined): string[] {
  const system = getCACertificates('system');
  const believed = system.length > 0 ? system : getCACertificates('bundled');
  const configured = caFile === undefined ? [] : [readCertificates(caFile)];
  return [...believed, ...getCACertificates('extra'), ...configured];
}

function readCertificates(caFile: string): string {
  const text = readFileSync(caFile, 'utf8');
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new Error(
    `network.ca_file ${caFile}: expected PEM certificates (-----BEGIN CERTIFICATE-----), found none`,
  );
}
