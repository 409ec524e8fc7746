import { spawn } from 'node:child_process';
import type { DesiredSource } from '../../reconciler/ports.ts';
import type { SpawnFetcher } from '../../sources/git/fetcher.ts';
import { createGitSource, type GitSourceOptions } from '../../sources/git/git-source.ts';
import { createSystemClock } from '../../system/clock.ts';
import { createHttpClient } from '../../system/http-client.ts';
import { AGENT_FOLDER, AGENT_MAIN } from './agent-program.ts';

/** A fetcher child as the agent starts it: this Node under its permission model, without an environment. */
export const spawnFetcher: SpawnFetcher = (verb, rights, heap) =>
  spawn(
    process.execPath,
    [
      '--permission',
      '--allow-net',
      ...[AGENT_FOLDER, ...rights.read].map((path) => `--allow-fs-read=${path}`),
      ...rights.write.map((path) => `--allow-fs-write=${path}`),
      `--max-old-space-size=${heap.oldSpaceMiB}`,
      `--max-semi-space-size=${heap.semiSpaceMiB}`,
      AGENT_MAIN,
      verb,
    ],
    { env: { TZ: process.env.TZ ?? '' }, stdio: ['pipe', 'pipe', 'pipe'] },
  );

export interface TestGitSource extends DesiredSource {
  readonly warnings: string[];
}

/** A git source with a real fetcher child; ends its connections with `using`. */
export function makeGitSource(
  options: Pick<GitSourceOptions, 'url' | 'stateDirectory'> &
    Partial<GitSourceOptions> & { credentials?: string | null; spawn?: SpawnFetcher; now?: () => Date },
): TestGitSource & Disposable {
  const caFile = options.network?.caFile ?? null;
  const http = createHttpClient({
    userAgent: 'edge-agent/test',
    environment: {},
    ...(caFile === null ? {} : { caFile }),
  });
  const warnings: string[] = [];
  const clock = createSystemClock();
  const source = createGitSource(
    {
      http,
      clock: { ...clock, now: options.now ?? clock.now },
      spawnFetcher: options.spawn ?? spawnFetcher,
      credentials: async () => options.credentials ?? null,
      onWarning: (message) => warnings.push(message),
    },
    {
      slug: 'acme',
      timeoutMs: 20_000,
      keepDays: () => 30,
      network: { userAgent: 'edge-agent/test', caFile: null, proxy: null, environment: {} },
      ...options,
    },
  );
  return { ...source, warnings, [Symbol.dispose]: () => http.close() };
}
