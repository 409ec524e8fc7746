import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  type Clock,
  type DesiredSource,
  MANIFEST_FILE,
  POLICY_FILE,
  RELEASE_FILE,
  type Retry,
  type Snapshot,
  TUF_TIMESTAMP_FILE,
} from '../../reconciler/ports.ts';
import { TUF_MAX_BYTES } from '../../schemas/tuf-files.ts';
import type { HttpClient } from '../../system/http-client.ts';
import { storageSetback } from '../storage-setback.ts';
import { createKeptSnapshots, type KeptFile, type KeptSnapshot } from './kept-snapshots.ts';
import { createRawFiles, type RawFiles, SourceSetback } from './raw-files.ts';
import { statementHints } from './statement-hints.ts';
import { readTufMetadata } from './tuf-metadata.ts';

const MAX_MANIFEST_BYTES = 8 * 1_024 * 1_024;
const MAX_POLICY_BYTES = 256 * 1_024;
/** Signed documents (contract, section 5). */
const MAX_JWS_BYTES = 512 * 1_024;
const MAX_ROOTS = 1_024;
/** Nothing that is asked for every minute tells a spoilt copy of TUF metadata from a good one. */
const TUF_RECHECK_MS = 10 * 60 * 1_000;
/** The server had another release between two requests: look again soon. */
const CHANGED_AGAIN_MS = 1_000;

export interface HttpSourceOptions {
  /** `source.url`. */
  readonly baseUrl: string;
  readonly slug: string;
  /** Read the metadata of a TUF repository, not statement and roots of our own format. */
  readonly tuf?: boolean;
  readonly client: HttpClient;
  /** `<edge_cache_dir>/.agent`; releases are kept in `http/` below. */
  readonly stateDirectory: string;
  /** `source.timeout`, of one `observe` and of one `read`. */
  readonly timeoutMs: number;
  /** Value of the Authorization header, read anew each time; only ever sent to the origin of `baseUrl`. */
  authorization(): Promise<string | null>;
  /** The root in force: roots above it are looked for. 0 when there is none. */
  knownRootVersion(): number;
  /**
   * Whether what was read last is in force. While it is not, nothing is asked for conditionally: a liar may have given his file the
   * ETag of the honest one, and "not modified" would keep the lie for ever. Default true.
   */
  believed?(): boolean;
  readonly clock: Clock;
}

/** Manifest and statement as one look found them. */
interface Seen {
  readonly revision: string;
  readonly base: string;
  readonly files: ReadonlyMap<string, KeptFile>;
}

/**
 * The raw files of a tenant over HTTPS (contract, section 2, `source.kind: http`). Nothing changed: two conditional requests, for the
 * manifest and for the statement, which binds the policy and names the root; those are asked for when the statement moved, and while
 * one that the statement binds was not there. A server may move between two requests: trust compares hashes, and a release is kept as one file.
 */
export function createHttpSource(options: HttpSourceOptions): DesiredSource {
  const { clock, slug, tuf = false } = options;
  const statementFile = tuf ? TUF_TIMESTAMP_FILE : RELEASE_FILE;
  const statementMaxBytes = tuf ? TUF_MAX_BYTES.timestamp : MAX_JWS_BYTES;
  const kept = createKeptSnapshots(join(options.stateDirectory, 'http'));
  const base = new URL(`${options.baseUrl.replace(/\/+$/, '')}/raw/tenant/${slug}/`);
  /** When the metadata of a TUF repository was last asked for as a whole, or this process began with what is kept. */
  let completedAtMs = clock.monotonicMs();
  /** What the last look found and nobody has read yet. */
  let seenLast: Seen | null = null;

  const rawFiles = (signal: AbortSignal) => {
    const until = clock.monotonicMs() + options.timeoutMs;
    const remainingMs = () => until - clock.monotonicMs();
    const { client } = options;
    return createRawFiles({
      base,
      client,
      signal,
      conditional: options.believed?.() ?? true,
      remainingMs,
      now: () => clock.now(),
      authorization: () => options.authorization(),
    });
  };

  const look = async (raw: RawFiles, known: ReadonlyMap<string, KeptFile>): Promise<Seen | null> => {
    let manifest = await raw.get(MANIFEST_FILE, MAX_MANIFEST_BYTES, known.get(MANIFEST_FILE) ?? null);
    if (manifest.kind === 'missing') return null;
    const statement = await raw.get(statementFile, statementMaxBytes, known.get(statementFile) ?? null);
    if (!tuf && statement.kind === 'present' && statement.changed) {
      const bound = statementHints(statement.file.bytes)?.manifestSha256 ?? null;
      if (bound !== null && bound !== sha256(manifest.file.bytes)) {
        // The release was published between the two requests.
        manifest = await raw.get(MANIFEST_FILE, MAX_MANIFEST_BYTES, manifest.file);
        if (manifest.kind === 'missing') return null;
      }
    }
    const files = new Map([[MANIFEST_FILE, manifest.file]]);
    if (statement.kind === 'present') files.set(statementFile, statement.file);
    return { revision: revisionOf(slug, manifest.file.bytes), base: digestOf(files), files };
  };

  /** Policy and roots: what the statement binds or names. */
  const complete = async (raw: RawFiles, seen: Seen, known: KeptSnapshot | null): Promise<KeptSnapshot> => {
    const files = new Map(seen.files);
    const policy = await raw.get(POLICY_FILE, MAX_POLICY_BYTES, known?.files.get(POLICY_FILE) ?? null);
    if (policy.kind === 'present') files.set(POLICY_FILE, policy.file);
    const statement = seen.files.get(statementFile);
    if (statement === undefined) return { fingerprint: seen.base, settled: true, files };
    if (tuf) return completeTuf(raw, seen, statement, { known, files });

    const hints = statementHints(statement.bytes);
    let version = options.knownRootVersion();
    for (let count = 0; count < MAX_ROOTS; count += 1) {
      const path = `roots/${version + 1}.root.jws.json`;
      const root = await raw.get(path, MAX_JWS_BYTES, known?.files.get(path) ?? null);
      if (root.kind === 'missing') break;
      files.set(path, root.file);
      version += 1;
    }
    const settled =
      hints !== null &&
      (hints.manifestSha256 === null ||
        hints.manifestSha256 === sha256((seen.files.get(MANIFEST_FILE) as KeptFile).bytes)) &&
      (hints.policySha256 === null ||
        (policy.kind === 'present' && hints.policySha256 === sha256(policy.file.bytes))) &&
      (hints.rootVersion === null || hints.rootVersion <= version);
    // A settled statement says all there is to compare; until then the files beside it count, too.
    return { fingerprint: settled ? seen.base : `${seen.base}+${digestOf(files)}`, settled, files };
  };

  const completeTuf = async (
    raw: RawFiles,
    seen: Seen,
    timestamp: KeptFile,
    { known, files }: { known: KeptSnapshot | null; files: Map<string, KeptFile> },
  ): Promise<KeptSnapshot> => {
    const manifest = (seen.files.get(MANIFEST_FILE) as KeptFile).bytes;
    const before = known?.files ?? new Map<string, KeptFile>();
    const metadata = await readTufMetadata(
      raw,
      { timestamp, manifest, slug },
      before,
      options.knownRootVersion(),
    );
    for (const [path, file] of metadata.files) files.set(path, file);
    completedAtMs = clock.monotonicMs();
    return { fingerprint: `${seen.base}+${digestOf(files)}`, settled: metadata.settled, files };
  };

  return {
    kind: 'http',
    async observe(signal) {
      try {
        const raw = rawFiles(signal);
        const latest = await kept.latest();
        const seen = await look(raw, latest?.files ?? new Map<string, KeptFile>());
        if (seen === null) {
          return {
            kind: 'absent',
            message: `${base.href}${MANIFEST_FILE}: expected the manifest, found status 404`,
          };
        }
        seenLast = seen;
        const same = latest !== null && digestOf(pick(latest.files, statementFile)) === seen.base;
        if (!same) return { kind: 'found', revision: seen.revision, fingerprint: seen.base };
        const due = tuf && clock.monotonicMs() - completedAtMs > TUF_RECHECK_MS;
        if (latest.settled && !due)
          return { kind: 'found', revision: seen.revision, fingerprint: latest.fingerprint };
        const { fingerprint } = await complete(raw, seen, latest);
        return { kind: 'found', revision: seen.revision, fingerprint };
      } catch (error) {
        return setbackOf(error, signal);
      }
    },
    async read(found, signal) {
      try {
        const latest = await kept.latest();
        if (latest?.fingerprint === found.fingerprint)
          return { kind: 'read', snapshot: snapshotOf(slug, latest) };
        const raw = rawFiles(signal);
        const seen =
          seenLast?.revision === found.revision ? seenLast : await look(raw, latest?.files ?? new Map());
        if (seen === null || seen.revision !== found.revision) return movedOn(found.revision, base);
        const whole = await complete(raw, seen, latest);
        // Kept under the name it was found by, so that the next look finds nothing new.
        await kept.keep(whole);
        seenLast = null;
        return { kind: 'read', snapshot: snapshotOf(slug, whole) };
      } catch (error) {
        return setbackOf(error, signal);
      }
    },
    async recall(revision) {
      const prefix = `tenant/${slug}@sha256:`;
      if (!revision.startsWith(prefix)) return null;
      const found = await kept.byManifest(revision.slice(prefix.length));
      return found === null ? null : snapshotOf(slug, found);
    },
    cleanUp: async () => ({ tags: [], objects: 0, bytes: 0 }),
  };
}

function snapshotOf(slug: string, kept: KeptSnapshot): Snapshot {
  const files = new Map([...kept.files].map(([path, { bytes }]) => [path, bytes]));
  const revision = revisionOf(slug, files.get(MANIFEST_FILE) as Uint8Array);
  return { revision, fingerprint: kept.fingerprint, commit: null, tags: [], files };
}

function revisionOf(slug: string, manifest: Uint8Array): string {
  return `tenant/${slug}@sha256:${sha256(manifest)}`;
}

/** Manifest and statement only. */
function pick(files: ReadonlyMap<string, KeptFile>, statement: string): ReadonlyMap<string, KeptFile> {
  return new Map([...files].filter(([path]) => path === MANIFEST_FILE || path === statement));
}

function digestOf(files: ReadonlyMap<string, KeptFile>): string {
  const lines = [...files].map(([path, { bytes }]) => `${path} ${sha256(bytes)}`);
  return sha256(Buffer.from(lines.sort().join('\n')));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function movedOn(revision: string, base: URL): Retry {
  const message = `${base.href}: expected ${revision}, found another manifest: it changed while it was read`;
  return { kind: 'retry', code: 'source_malformed', message, afterMs: CHANGED_AGAIN_MS };
}

function setbackOf(error: unknown, signal: AbortSignal) {
  signal.throwIfAborted();
  if (error instanceof SourceSetback) return error.setback;
  const setback = storageSetback(error);
  if (setback === null) throw error;
  return setback;
}
