import type { BranchCheck, BundleSource, Clock, DesiredSource } from '../reconciler/ports.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import { createBundleSource } from '../sources/artifacts/bundle-source.ts';
import { createBranchCheck } from '../sources/branch-check.ts';
import { withoutEcho } from '../sources/credential-echo.ts';
import { createGitSource } from '../sources/git/git-source.ts';
import { createHttpSource } from '../sources/http/http-source.ts';
import { createHttpClient, type HttpClient } from '../system/http-client.ts';
import type { SpawnChild } from './child-process.ts';
import type { ClockSource, ClockWatch } from './clock-watch.ts';
import type { Credentials } from './credentials.ts';
import type { DeviceIdentity } from './device-identity.ts';
import type { AgentPaths } from './paths.ts';
import { AGENT_VERSION } from './version.ts';

const USER_AGENT = `edge-agent/${AGENT_VERSION}`;

export interface SourceInputs {
  readonly config: AgentConfig;
  readonly paths: AgentPaths;
  readonly credentials: Credentials;
  readonly identity: DeviceIdentity;
  readonly clock: Clock;
  readonly spawnChild: SpawnChild;
  readonly keepDays: () => number;
  /** Of the root in force, for the http source to look for the next one. */
  readonly rootVersion: () => number;
  /** Whether what the source brought last is in force. */
  readonly believed: () => boolean;
  readonly onWarning: (message: string) => void;
  /** What servers say of our clock. */
  readonly clockWatch: Pick<ClockWatch, 'measured'>;
}

/** Everything that is made anew when agent.yaml changes. */
export interface ConfiguredSources {
  /** For the SaaS alone. */
  readonly saas: HttpClient;
  readonly source: DesiredSource;
  readonly bundles: BundleSource;
  readonly branchCheck: BranchCheck | null;
  close(): void;
}

export function createSources(inputs: SourceInputs): ConfiguredSources {
  const { config, paths, credentials, identity, clock } = inputs;
  const { ca_file: _caFile, proxy } = config.network;
  const client = (source: ClockSource) =>
    createHttpClient({
      userAgent: USER_AGENT,
      clock,
      onClockOffset: (offsetMs, errorMs, origin) =>
        inputs.clockWatch.measured(source, { offsetMs, errorMs }, origin),
      ...(paths.caFile === null ? {} : { caFile: paths.caFile }),
      ...(proxy === undefined ? {} : { proxy }),
    });
  const http = client('other');
  const saas = client('console');
  const bundles = createBundleSource({
    client: http,
    allow: config.artifacts.allow ?? [new URL(config.source.url).origin],
    endpoint: config.artifacts.endpoint ?? null,
    region: config.artifacts.region,
    credentials: () => credentials.artifacts(),
    maxBytes: config.artifacts.max_bytes,
    clock,
  });
  const branchCheck =
    config.saas_url === undefined
      ? null
      : createBranchCheck({ client: saas, saasUrl: config.saas_url, authorize: identity.authorize });
  const asked = config.source.kind === 'git' ? gitSource(inputs, http) : httpSource(inputs, http);
  const source = withoutEcho(asked, () => credentials.gitToken());
  const close = () => {
    http.close();
    saas.close();
  };
  return { saas, source, bundles, branchCheck, close };
}

function gitSource(inputs: SourceInputs, http: HttpClient): DesiredSource {
  const { config, paths, credentials, clock, spawnChild } = inputs;
  return createGitSource(
    {
      http,
      clock,
      credentials: () => credentials.gitToken(),
      onWarning: inputs.onWarning,
      spawnFetcher: (verb, rights, heap) => spawnChild(verb, { ...rights, heap }),
    },
    {
      url: config.source.url,
      slug: config.tenant,
      tuf: config.trust.mode === 'tuf',
      stateDirectory: paths.state,
      timeoutMs: config.source.timeout,
      keepDays: inputs.keepDays,
      network: {
        userAgent: USER_AGENT,
        caFile: paths.caFile,
        proxy: config.network.proxy ?? null,
        environment: proxyEnvironment(),
      },
    },
  );
}

function httpSource(inputs: SourceInputs, http: HttpClient): DesiredSource {
  const { config, paths, credentials, clock } = inputs;
  return createHttpSource({
    baseUrl: config.source.url,
    slug: config.tenant,
    tuf: config.trust.mode === 'tuf',
    client: http,
    stateDirectory: paths.state,
    timeoutMs: config.source.timeout,
    authorization: async () => basicAuthorization(await credentials.gitToken()),
    knownRootVersion: inputs.rootVersion,
    believed: inputs.believed,
    clock,
  });
}

/** `token` or `user:token` as RFC 7617 sends it; a bare token stands as the password, as the forges take it. */
function basicAuthorization(token: string | null): string | null {
  if (token === null) return null;
  const pair = token.includes(':') ? token : `x-access-token:${token}`;
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

function proxyEnvironment(): Record<string, string> {
  const names = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'https_proxy', 'http_proxy', 'no_proxy'];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}
