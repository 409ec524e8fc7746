import { z } from 'zod';
import { Slug } from '../../schemas/names.ts';

const ObjectIdHex = z.string().regex(/^[0-9a-f]{40}$/);

const Budgets = z.object({
  listingBytes: z.int(),
  tagListingBytes: z.int(),
  packBytes: z.int(),
  packObjects: z.int(),
  objectBytes: z.int(),
  inflatedBytes: z.int(),
  workBytes: z.int(),
  baseCacheBytes: z.int(),
  deltaDepth: z.int(),
  shallowCommits: z.int(),
  commitBytes: z.int(),
  documentBytes: z.int(),
  manifestBytes: z.int(),
  policyBytes: z.int(),
  roots: z.int(),
  snapshotBytes: z.int(),
  repositoryBytes: z.int(),
  repositoryPacks: z.int(),
  childMemoryBytes: z.int(),
  childAnswerBytes: z.int(),
});

/** How the fetcher child reaches the network: as the agent does. */
export const FetcherNetwork = z.object({
  userAgent: z.string(),
  caFile: z.string().nullable(),
  proxy: z.string().nullable(),
  /** HTTPS_PROXY, HTTP_PROXY, NO_PROXY and their lower case. */
  environment: z.record(z.string(), z.string()),
});
export type FetcherNetwork = z.infer<typeof FetcherNetwork>;

/** What the agent tells the fetcher child, as one JSON document on its standard input: credentials are never in argv or environment. */
export const FetchQuestion = z.object({
  url: z.string(),
  credentials: z.string().nullable(),
  slug: Slug,
  /** As `GitSourceOptions.tuf`. */
  tuf: z.boolean(),
  commit: ObjectIdHex,
  /** Tip of the branch in the kept repository, when there is one. */
  keptTip: ObjectIdHex.nullable(),
  /** History is asked for back to here, milliseconds since 1970. */
  sinceMs: z.int(),
  nowMs: z.int(),
  timeoutMs: z.int(),
  /** The kept repository, read only; it may not exist. */
  repository: z.string(),
  /** An empty folder, the only one that is written to. */
  scratch: z.string(),
  network: FetcherNetwork,
  budgets: Budgets,
});
export type FetchQuestion = z.infer<typeof FetchQuestion>;

const FetchedTag = z.object({
  /** Full name, `refs/tags/…`. */
  name: z.string(),
  oid: ObjectIdHex,
  peeled: ObjectIdHex.nullable(),
});
export type FetchedTag = z.infer<typeof FetchedTag>;

/** What the child answers, as one JSON document on its standard output. */
export const FetchAnswer = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('fetched'),
    /** Checksum of the pack in `<scratch>/objects/pack`; null when all was here already. */
    pack: ObjectIdHex.nullable(),
    objects: z.int(),
    bytes: z.int(),
    /** All commits without parents, of the kept repository and the pack together. */
    shallow: z.array(ObjectIdHex),
    /** All tags to keep; null leaves them as they are. */
    tags: z.array(FetchedTag).nullable(),
    rewritten: z.boolean(),
    warnings: z.array(z.string()),
  }),
  z.object({
    kind: z.literal('fault'),
    code: z.enum([
      'network',
      'server_error',
      'redirect_refused',
      'timeout',
      'source_malformed',
      'source_too_large',
      'disk_full',
      'io_error',
      'credentials_refused',
      'repository_missing',
      'cache_damaged',
    ]),
    message: z.string(),
    afterMs: z.number().optional(),
  }),
]);
export type FetchAnswer = z.infer<typeof FetchAnswer>;
export type Fetched = Extract<FetchAnswer, { kind: 'fetched' }>;
