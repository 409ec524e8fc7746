import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createControlClient } from '../../agent/control-client.ts';
import type { AgentOperations } from '../../agent/operations.ts';
import { socketPath } from '../../agent/paths.ts';
import { POLICY_FILE, RELEASE_FILE } from '../../reconciler/ports.ts';
import type { Current } from '../../schemas/current.ts';
import type { Event } from '../../schemas/event.ts';
import type { GeneralJws, PrivateJwk } from '../../schemas/jws.ts';
import type { RunReport } from '../../schemas/run.ts';
import type { ReconcileReport } from '../../schemas/status.ts';
import { type DraftDocument, serialiseDocument, signDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { makeReleaseStatement, type ReleasePlan, signRelease } from '../../trust/ceremony/release.ts';
import { newRoot, type RootChanges, rotateRoot } from '../../trust/ceremony/root-draft.ts';
import { rootFileName } from '../../trust/root-walk.ts';
import { AGENT_MAIN } from './agent-program.ts';
import { bundleOf } from './bundles.ts';
import { type Daemon, startProgram, until } from './daemon.ts';
import { type GitServer, startGitServer, type TestCommit, type TestRepository } from './git-server.ts';
import { answering, type LoopbackServer, startHttpServer } from './http-server.ts';
import type { Finished } from './world.ts';

const DAY_MS = 86_400_000;
const never = new AbortController().signal;
export const SLUG = 'acme';

/** Files of a commit on the tenant branch. */
export type BranchFiles = Readonly<Record<string, string | Uint8Array>>;

export interface TenantKeys {
  /** Two of these three make a root. */
  readonly root: readonly [PrivateJwk, PrivateJwk, PrivateJwk];
  /** Both make a release. */
  readonly release: readonly [PrivateJwk, PrivateJwk];
  readonly trigger: PrivateJwk;
  readonly agent: PrivateJwk;
}

/** What the signers of one tenant can make: for tests that need every kind of wrong document, and right ones beside them. */
export interface SignedTenant {
  readonly keys: TenantKeys;
  /** Root 1, signed. */
  readonly root: GeneralJws;
  readonly git: GitServer;
  readonly artifacts: LoopbackServer;
  /** A v1 manifest of a Python flow that prints `text`. */
  manifest(text: string, more?: object): string;
  /** `release.jws.json` for a manifest, signed by both release keys unless others are given. */
  release(manifest: string, changes?: Partial<ReleasePlan>, by?: readonly PrivateJwk[]): Promise<string>;
  /** Manifest and release as they lie on the branch. */
  files(manifest: string, changes?: Partial<ReleasePlan>, by?: readonly PrivateJwk[]): Promise<BranchFiles>;
  /** The next root, signed by two of the root keys unless others are given. */
  nextRoot(
    previous: DraftDocument,
    changes?: Partial<RootChanges>,
    by?: readonly PrivateJwk[],
  ): Promise<GeneralJws>;
  /** A machine with agent.yaml and the pinned root, and a repository of its own: empty, or as `like` is now. */
  machine(like?: TenantMachine): TenantMachine;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface TenantMachine {
  readonly folder: string;
  readonly cache: string;
  readonly repository: TestRepository;
  /** Commits these files, and no others, on the tenant branch. */
  publish(files: BranchFiles, commit?: Partial<TestCommit>): string;
  /** Puts keys of agent.yaml in the place of those it has. */
  configure(change: object): void;
  agent(...args: string[]): Promise<Finished>;
  /** The command, as a process of its own. */
  reconcile(): Promise<Reconciled>;
  /** The same; throws when not all was applied. */
  apply(): Promise<Reconciled>;
  /** `edge-agent run`. */
  start(): Daemon;
  /** Of the daemon, through its socket. */
  readonly operations: AgentOperations;
  /** Does the work while a daemon runs, which is killed after it. */
  withDaemon(work: () => Promise<void>): Promise<void>;
  /** One look of the daemon: `3 seq_rollback`, `0` when all is applied. */
  look(): Promise<string>;
  /** What the active version prints; throws when it does not run. */
  runs(): Promise<string>;
  /** The event log on disk, oldest first. */
  events(): Event[];
  /** `current.json`, as text. */
  pointer(): string;
  current(): Current;
}

export interface Reconciled {
  readonly code: number;
  readonly stderr: string;
  /** What it says is in the way, first of all. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly report: ReconcileReport;
}

export const daysAhead = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString();

export async function signRoot(draft: DraftDocument, by: readonly PrivateJwk[]): Promise<GeneralJws> {
  let document: GeneralJws = draft;
  for (const key of by) document = await signDocument(document, key, 'edgeflows-root+jws');
  return document;
}

/** Root documents under their names on the branch. */
export function rootFiles(...roots: readonly (DraftDocument & { signatures: unknown })[]): BranchFiles {
  const named = roots.map((root) => {
    const { version } = JSON.parse(Buffer.from(root.payload, 'base64url').toString('utf8')) as {
      version: number;
    };
    return [rootFileName(version), serialiseDocument(root)] as const;
  });
  return Object.fromEntries(named);
}

export async function createSignedTenant(): Promise<SignedTenant> {
  const folder = mkdtempSync(join(tmpdir(), 'signed-tenant-'));
  const git = await startGitServer();
  const artifacts = await startHttpServer();
  const keys: TenantKeys = {
    root: [newKey(), newKey(), newKey()],
    release: [newKey(), newKey()],
    trigger: newKey(),
    agent: newKey(),
  };
  const { root: rootKeys, release: releaseKeys, trigger, agent } = keys;
  const first = newRoot({
    expires: daysAhead(365),
    keys: { root: rootKeys, release: releaseKeys, trigger: [trigger], agent: [agent] },
    thresholds: { root: 2, release: 2 },
  });
  const root = await signRoot(first, rootKeys.slice(0, 2));
  let machines = 0;

  const tenant: SignedTenant = {
    keys,
    root,
    git,
    artifacts,
    manifest(text, more = {}) {
      const bundle = bundleOf({ 'main.py': `print(${JSON.stringify(text)})\n` });
      const path = `/bundles/${bundle.sha256}.tar.gz`;
      artifacts.on(path, answering(200, bundle.bytes));
      const edge_url = `${artifacts.origin}${path}`;
      return JSON.stringify({ edge_url, sha256: bundle.sha256, runtime: 'python', ...more });
    },
    async release(manifest, changes = {}, by = releaseKeys) {
      const statement = makeReleaseStatement({
        tenant: SLUG,
        seq: 1,
        issued: new Date().toISOString(),
        expires: daysAhead(90),
        root_version: 1,
        manifestBytes: Buffer.from(manifest),
        ...changes,
      });
      return serialiseDocument(await signRelease(statement, by as [PrivateJwk, ...PrivateJwk[]]));
    },
    async files(manifest, changes, by) {
      const policy = changes?.policyBytes;
      return {
        'manifest.json': manifest,
        [RELEASE_FILE]: await tenant.release(manifest, changes, by),
        ...(policy === undefined ? {} : { [POLICY_FILE]: policy }),
      };
    },
    nextRoot: (previous, changes = {}, by = rootKeys.slice(0, 2)) =>
      signRoot(rotateRoot(previous, { expires: daysAhead(365), ...changes }), by),
    machine(like) {
      machines += 1;
      return machineOf(tenant, join(folder, `machine-${machines}`), `tenant-${machines}`, like);
    },
    async [Symbol.asyncDispose]() {
      await artifacts[Symbol.asyncDispose]();
      await git[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return tenant;
}

function machineOf(
  { git, artifacts, root }: SignedTenant,
  folder: string,
  name: string,
  like: TenantMachine | undefined,
): TenantMachine {
  const repository = git.createRepository(name);
  if (like === undefined) {
    mkdirSync(join(folder, 'credentials'), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, 'root.jws.json'), serialiseDocument(root));
  } else {
    // With modes and times, as a machine restored from an image has them.
    execFileSync('cp', ['-a', like.folder, folder]);
    rmSync(repository.path, { recursive: true });
    execFileSync('cp', ['-a', like.repository.path, repository.path]);
  }
  const cache = join(folder, 'EdgeFlows');
  const config = join(folder, 'agent.yaml');
  let settings: object = {
    version: 1,
    tenant: SLUG,
    edge_cache_dir: './EdgeFlows',
    source: { url: git.url(name), interval: '1h' },
    trust: { root: 'root.jws.json' },
    artifacts: { allow: [`${artifacts.origin}/bundles`] },
    runs: { allow_root: true, grace: '1s' },
    log: { dir: './log' },
  };
  const pointerFile = join(cache, SLUG, 'current.json');
  const configure = (change: object): void => {
    settings = { ...settings, ...change };
    writeFileSync(config, JSON.stringify(settings, null, 2));
  };
  configure({});

  const machine: TenantMachine = {
    folder,
    cache,
    repository,
    publish: (files, commit = {}) =>
      repository.commit({ ref: `refs/heads/tenant/${SLUG}`, files, ...commit }),
    configure,
    agent: (...args) =>
      new Promise((resolve) => {
        execFile(
          process.execPath,
          [AGENT_MAIN, '--config', config, ...args],
          { cwd: folder, maxBuffer: 64 * 1024 * 1024 },
          (error, stdout, stderr) =>
            resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
        );
      }),
    async reconcile() {
      const { code, stdout, stderr } = await machine.agent('reconcile', '--output', 'json');
      if (stdout === '') throw new Error(`expected one JSON document, found none: ${stderr}`);
      const { error = null, ...report } = JSON.parse(stdout) as ReconcileReport &
        Partial<Pick<Reconciled, 'error'>>;
      return { code, stderr, error, report };
    },
    async apply() {
      const applied = await machine.reconcile();
      if (applied.code !== 0) throw new Error(`expected exit 0, found ${applied.code}: ${applied.stderr}`);
      return applied;
    },
    start: () => startProgram(AGENT_MAIN, folder, ['--config', config, 'run']),
    operations: createControlClient(socketPath(join(cache, '.agent'))),
    async withDaemon(work) {
      const daemon = machine.start();
      try {
        await until('the daemon', () => machine.operations.status({}, never).catch(() => null), 60_000);
        await work();
      } finally {
        await daemon.stop('SIGKILL');
      }
    },
    async look() {
      const { exit_code, problems } = await machine.operations.reconcile({ force: false }, never);
      return [exit_code, ...problems.slice(0, 1).map(({ code }) => code)].join(' ');
    },
    async runs() {
      const { code, stdout, stderr } = await machine.agent(
        'trigger',
        'default',
        '--wait',
        '--output',
        'json',
      );
      if (code !== 0) throw new Error(`expected the active version to run, found ${code}: ${stderr}`);
      return (JSON.parse(stdout) as RunReport).stdout;
    },
    events: () =>
      readFileSync(join(cache, '.agent', 'events.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Event),
    pointer: () => readFileSync(pointerFile, 'utf8'),
    current: () => JSON.parse(machine.pointer()) as Current,
  };
  return machine;
}
