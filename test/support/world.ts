import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Current } from '../../schemas/current.ts';
import type { ReconcileReport } from '../../schemas/status.ts';
import { serialiseDocument, signDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { makeReleaseStatement, signRelease } from '../../trust/ceremony/release.ts';
import { newRoot } from '../../trust/ceremony/root-draft.ts';
import { AGENT_MAIN } from './agent-program.ts';
import { type Bundle, bundleOf } from './bundles.ts';
import { type GitServer, startGitServer, type TestRepository } from './git-server.ts';
import { answering, type LoopbackServer, startHttpServer } from './http-server.ts';

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface World {
  readonly folder: string;
  readonly config: string;
  readonly cache: string;
  readonly git: GitServer;
  readonly repository: TestRepository;
  readonly artifacts: LoopbackServer;
  readonly slug: string;
  /** Serves a bundle and gives the URL. */
  serve(name: string, bundle: Bundle): string;
  /** Commits a manifest with a signed release; the commit's id. */
  release(manifest: object | string, options?: ReleaseOptions): Promise<string>;
  writeConfig(change?: object): void;
  agent(...args: string[]): Promise<Finished>;
  /** Runs a verb with `--output json` and parses its one document. */
  json<T = Record<string, unknown>>(...args: string[]): Promise<Finished & { document: T }>;
  reconcile(
    ...args: string[]
  ): Promise<Finished & { document: ReconcileReport & { error?: { code: string; message: string } } }>;
  current(): Current;
  path(...parts: string[]): string;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ReleaseOptions {
  readonly seq?: number;
  readonly tenant?: string;
  readonly version?: string;
  readonly expires?: string;
  readonly issued?: string;
  readonly minAgent?: string;
  readonly policy?: string;
  readonly unsigned?: boolean;
  readonly files?: Readonly<Record<string, string>>;
  /** Changes the files after they were signed. */
  readonly tamper?: (files: Record<string, string>) => void;
}

/** Python bundle whose flow prints where it runs and writes one output. */
export function helloBundle(text: string): Bundle {
  return bundleOf({
    'main.py': `import json, os
print(${JSON.stringify(text)}, os.environ["EDGE_VERSION"])
given = json.load(open(os.environ["EDGE_INPUT"]))
open(os.path.join(os.environ["EDGE_OUTPUT_DIR"], "out.txt"), "w").write(str(given.get("n", 0)))
`,
  });
}

/** A tenant with real git over HTTP, an artifact server, signing keys and an agent.yaml, all in one temp folder. */
export async function createWorld(slug = 'acme'): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'edge-world-'));
  const git = await startGitServer();
  const repository = git.createRepository('builder');
  const artifacts = await startHttpServer();
  const rootKey = newKey();
  const releaseKey = newKey();
  const far = new Date(Date.now() + 365 * 86_400_000).toISOString();
  const draft = newRoot({
    expires: far,
    keys: { root: [rootKey], release: [releaseKey], trigger: [releaseKey] },
  });
  const root = serialiseDocument(await signDocument(draft, rootKey, 'edgeflows-root+jws'));
  writeFileSync(join(folder, 'root.jws.json'), root);
  mkdirSync(join(folder, 'credentials'), { mode: 0o700 });
  const config = join(folder, 'agent.yaml');
  const cache = join(folder, 'EdgeFlows');
  const served = new Map<string, Bundle>();
  let seq = 0;

  const agent = (...args: string[]) =>
    new Promise<Finished>((resolve) => {
      execFile(
        process.execPath,
        [AGENT_MAIN, '--config', config, ...args],
        { maxBuffer: 64 * 1024 * 1024, cwd: folder },
        (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
      );
    });

  const world: World = {
    folder,
    config,
    cache,
    git,
    repository,
    artifacts,
    slug,
    serve(name, bundle) {
      served.set(name, bundle);
      artifacts.on(`/edge-artifacts/${name}`, answering(200, bundle.bytes));
      return `${artifacts.origin}/edge-artifacts/${name}`;
    },
    async release(manifest, options = {}) {
      const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
      const files: Record<string, string> = { 'manifest.json': text, ...options.files };
      if (options.policy !== undefined) files['agent-policy.yaml'] = options.policy;
      if (options.unsigned !== true) {
        seq = options.seq ?? seq + 1;
        const statement = makeReleaseStatement({
          tenant: options.tenant ?? slug,
          seq,
          issued: options.issued ?? new Date().toISOString(),
          expires: options.expires ?? new Date(Date.now() + 90 * 86_400_000).toISOString(),
          root_version: 1,
          manifestBytes: Buffer.from(text),
          ...(options.version === undefined ? {} : { version: options.version }),
          ...(options.minAgent === undefined ? {} : { min_agent: options.minAgent }),
          ...(options.policy === undefined ? {} : { policyBytes: Buffer.from(options.policy) }),
        });
        files['release.jws.json'] = serialiseDocument(await signRelease(statement, [releaseKey]));
      }
      options.tamper?.(files);
      return repository.commit({ ref: `refs/heads/tenant/${slug}`, files, message: `Release ${seq}` });
    },
    writeConfig(change = {}) {
      const settings = {
        version: 1,
        tenant: slug,
        edge_cache_dir: cache,
        source: { url: git.url('builder') },
        trust: { root: 'root.jws.json' },
        artifacts: { allow: [`${artifacts.origin}/edge-artifacts`] },
        runs: { allow_root: true, grace: '1s' },
        ...change,
      };
      // JSON is YAML
      writeFileSync(config, JSON.stringify(settings, null, 2));
    },
    agent,
    async json<T>(...args: string[]) {
      const finished = await agent('--output', 'json', ...args);
      let document: T;
      try {
        document = JSON.parse(finished.stdout) as T;
      } catch {
        throw new Error(`expected one JSON document, found ${JSON.stringify(finished)}`);
      }
      return { ...finished, document };
    },
    reconcile: (...args) => world.json('reconcile', ...args),
    current: () => JSON.parse(readFileSync(join(cache, slug, 'current.json'), 'utf8')) as Current,
    path: (...parts) => join(cache, slug, ...parts),
    async [Symbol.asyncDispose]() {
      await artifacts[Symbol.asyncDispose]();
      await git[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  world.writeConfig();
  return world;
}

/** A v1 manifest for a bundle served under a name. */
export function manifestV1(world: World, name: string, bundle: Bundle, more: object = {}): object {
  return { edge_url: world.serve(name, bundle), sha256: bundle.sha256, runtime: 'python', ...more };
}

/** One flow of a v2 manifest for a bundle served under a name. */
export function flowV2(world: World, id: string, version: string, bundle: Bundle, more: object = {}): object {
  return {
    id,
    version,
    edge_url: world.serve(`${id}-${version}.tar.gz`, bundle),
    sha256: bundle.sha256,
    runtime: 'python',
    ...more,
  };
}

export const v2 = (...flows: object[]): object => ({ manifest_version: 2, flows });
