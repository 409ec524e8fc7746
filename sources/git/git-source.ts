import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, DesiredSource, Observation, Setback, Snapshot } from '../../reconciler/ports.ts';
import type { HttpClient } from '../../system/http-client.ts';
import { GIT_BUDGETS, type GitBudgets } from './budgets.ts';
import { cleanUpRepository } from './clean-up.ts';
import { fetchInChild, type SpawnFetcher } from './fetcher.ts';
import type { FetcherNetwork } from './fetcher-messages.ts';
import { GitFault, toGitFault, toSetback } from './git-fault.ts';
import { branchRef, dropRepository, keepFetched, measureRepository } from './kept-repository.ts';
import { openObjects } from './object-reader.ts';
import { type Advertisement, listRefs, readAdvertisement } from './remote-refs.ts';
import { type KeptRef, readRefs } from './repository-refs.ts';
import { createSmartHttp } from './smart-http.ts';
import { readSnapshot } from './snapshot.ts';

export interface GitSourceDeps {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly spawnFetcher: SpawnFetcher;
  /** `token` or `user:token`, read anew each time; null is anonymous. */
  readonly credentials: () => Promise<string | null>;
  /** What is odd and stops nothing: one sentence. */
  readonly onWarning: (message: string) => void;
}

export interface GitSourceOptions {
  /** Base of the repository: https, or http to loopback (schemas/urls.ts). */
  readonly url: string;
  readonly slug: string;
  /** Read the metadata of a TUF repository, not the roots of our own format. */
  readonly tuf?: boolean;
  /** `<edge_cache_dir>/.agent`; the repository is `git/` in it, and `git-scratch/` is there during a fetch. */
  readonly stateDirectory: string;
  /** `source.timeout` in milliseconds: of one `observe`, and of one `read`. */
  readonly timeoutMs: number;
  /** How far back history is fetched, in days (`retention.keep_days`); asked at each fetch. */
  readonly keepDays: () => number;
  /** For the fetcher child; `http` has its own. */
  readonly network: FetcherNetwork;
  readonly budgets?: Partial<GitBudgets>;
}

const DAY_MS = 86_400_000;
const REVISION = /^tenant\/([a-z0-9-]{1,63})@sha1:([0-9a-f]{40})$/;

/**
 * One branch of a git repository and its tags (design.md "Processes"; threats.md "a hostile git server"). `observe` runs here and
 * writes nothing: one request once the server is known to speak protocol 2, two before, one with the older protocols. `read` answers
 * from the kept repository or has a fetcher child bring what is missing. Calls that use the repository wait for one another.
 */
export function createGitSource(deps: GitSourceDeps, options: GitSourceOptions): DesiredSource {
  const budgets = { ...GIT_BUDGETS, ...options.budgets };
  const repository = join(options.stateDirectory, 'git');
  const scratchRoot = join(options.stateDirectory, 'git-scratch');
  const ref = branchRef(options.slug);
  /** What an earlier check found out about the server; forgotten as soon as it answers otherwise. */
  let known: { base: string; server: Advertisement } | null = null;
  let turn: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return result;
  };

  const observe = async (signal: AbortSignal): Promise<Observation> => {
    const deadline = deps.clock.monotonicMs() + options.timeoutMs;
    const git = createSmartHttp({
      http: deps.http,
      url: options.url,
      ...(known === null ? {} : { base: known.base }),
      credentials: await deps.credentials(),
      signal,
      remainingMs: () => Math.ceil(deadline - deps.clock.monotonicMs()),
      now: () => deps.clock.now(),
    });
    try {
      const server = known?.server ?? (await readAdvertisement(git, budgets.listingBytes));
      const found = (await listRefs(git, server, ref, budgets.listingBytes)).get(ref);
      known = server.protocol === 2 ? { base: git.base(), server } : null;
      if (found === undefined) {
        return {
          kind: 'absent',
          message: `expected branch tenant/${options.slug}, found none in ${options.url}`,
        };
      }
      const revision = `tenant/${options.slug}@sha1:${found.oid}`;
      return { kind: 'found', revision, fingerprint: revision };
    } catch (error) {
      signal.throwIfAborted();
      const fault = toGitFault(error);
      if (fault.code !== 'network' && fault.code !== 'timeout') known = null;
      // Nobody can tell "no such repository" from "not for you": the forges answer both alike.
      return fault.code === 'repository_missing'
        ? { kind: 'absent', message: fault.message }
        : toSetback(fault);
    }
  };

  const fromCache = (commit: string, refs: ReadonlyMap<string, KeptRef>): Snapshot | null => {
    if (!existsSync(repository)) return null;
    const objects = openObjects([repository]);
    try {
      const branch = { slug: options.slug, commit, tuf: options.tuf ?? false };
      return readSnapshot(objects, branch, refs, budgets);
    } finally {
      objects.close();
    }
  };

  const fetch = async (commit: string, refs: ReadonlyMap<string, KeptRef>, signal: AbortSignal) => {
    const scratch = join(scratchRoot, randomBytes(8).toString('hex'));
    const now = deps.clock.now();
    await rm(scratchRoot, { recursive: true, force: true });
    try {
      await mkdir(scratch, { recursive: true, mode: 0o700 });
      const fetched = await fetchInChild(
        {
          url: options.url,
          credentials: await deps.credentials(),
          slug: options.slug,
          tuf: options.tuf ?? false,
          commit,
          keptTip: refs.get(ref)?.oid ?? null,
          sinceMs: now.getTime() - options.keepDays() * DAY_MS,
          nowMs: now.getTime(),
          timeoutMs: options.timeoutMs,
          repository,
          scratch,
          network: options.network,
          budgets,
        },
        deps.spawnFetcher,
        signal,
      );
      for (const warning of fetched.warnings) deps.onWarning(warning);
      await keepFetched(repository, { slug: options.slug, commit }, scratch, fetched);
      return fetched;
    } finally {
      await rm(scratchRoot, { recursive: true, force: true });
    }
  };

  /** True when the kept repository had grown beyond its bounds and is gone: it is a cache. */
  const isOverfull = async () => {
    const { packs, bytes } = await measureRepository(repository);
    if (packs < budgets.repositoryPacks && bytes < budgets.repositoryBytes) return false;
    deps.onWarning(
      `expected a git cache of less than ${budgets.repositoryPacks} packs and ${budgets.repositoryBytes} bytes, found ${packs} and ${bytes}; it is begun anew`,
    );
    await dropRepository(repository);
    return true;
  };

  const readOnce = async (commit: string, signal: AbortSignal) => {
    const refs = readRefs(repository);
    const kept = refs.get(ref)?.oid === commit ? fromCache(commit, refs) : null;
    if (kept !== null) return { kind: 'read', snapshot: kept } as const;
    const { rewritten } = await fetch(commit, (await isOverfull()) ? new Map() : refs, signal);
    const snapshot = fromCache(commit, readRefs(repository));
    if (snapshot === null) throw new GitFault('cache_damaged', 'expected the commit just kept, found none');
    return { kind: 'read', snapshot, rewritten } as const;
  };

  const commitOf = (revision: string): string | null => {
    const [, slug, commit] = REVISION.exec(revision) ?? [];
    return slug === options.slug ? (commit ?? null) : null;
  };

  return {
    kind: 'git',
    observe,
    read: (found, signal) =>
      inTurn(async () => {
        const commit = commitOf(found.revision);
        if (commit === null)
          throw new TypeError(`expected a revision of tenant/${options.slug}, found ${found.revision}`);
        try {
          return await readOnce(commit, signal).catch(async (error: unknown) => {
            if (!(error instanceof GitFault) || error.code !== 'cache_damaged') throw error;
            deps.onWarning(`${error.message}; the git cache is fetched anew`);
            await dropRepository(repository);
            return await readOnce(commit, signal);
          });
        } catch (error) {
          signal.throwIfAborted();
          return toSetback(error) satisfies Setback;
        }
      }),
    recall: (revision) =>
      inTurn(async () => {
        const commit = commitOf(revision);
        if (commit === null) return null;
        try {
          return fromCache(commit, readRefs(repository));
        } catch (error) {
          deps.onWarning(toGitFault(error).message);
          return null;
        }
      }),
    cleanUp: (now, keepDays, dryRun) =>
      inTurn(async () =>
        cleanUpRepository(repository, {
          slug: options.slug,
          now,
          keepDays,
          dryRun,
          maxObjectBytes: budgets.objectBytes,
        }),
      ),
  };
}
