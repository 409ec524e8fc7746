const KIB = 1_024;
const MIB = 1_024 * KIB;

/** What a git server may cost us. Counts are counts, everything else is bytes. */
export interface GitBudgets {
  /** Of the whole no-change check: capability advertisement and branch listing. */
  readonly listingBytes: number;
  /** Of the listing of `refs/tags/`; beyond it the tags are left as they were. */
  readonly tagListingBytes: number;
  /** Of one pack as it comes over the wire. */
  readonly packBytes: number;
  readonly packObjects: number;
  /** Of one object, inflated and with its deltas applied. */
  readonly objectBytes: number;
  /** Of all objects of one pack, inflated, deltas and their results both counted. */
  readonly inflatedBytes: number;
  /** Of everything inflated or patched, repetitions included: what a pack may cost in work. */
  readonly workBytes: number;
  /** Of resolved objects kept as delta bases while a pack is checked. */
  readonly baseCacheBytes: number;
  readonly deltaDepth: number;
  readonly shallowCommits: number;
  /** Of the commit that is read, its message included. */
  readonly commitBytes: number;
  /** Of `release.jws.json` and of one root document. */
  readonly documentBytes: number;
  readonly manifestBytes: number;
  readonly policyBytes: number;
  readonly roots: number;
  /** Of all files of one snapshot. */
  readonly snapshotBytes: number;
  /** Of the kept repository, on disk and in packs: above one of them it is begun anew before the next fetch. */
  readonly repositoryBytes: number;
  readonly repositoryPacks: number;
  /** Of the fetcher child's memory; above it the child is ended. */
  readonly childMemoryBytes: number;
  /** Of what the fetcher child may answer. */
  readonly childAnswerBytes: number;
}

export const GIT_BUDGETS: GitBudgets = {
  listingBytes: MIB,
  tagListingBytes: 4 * MIB,
  packBytes: 64 * MIB,
  packObjects: 500_000,
  objectBytes: 16 * MIB,
  inflatedBytes: 256 * MIB,
  workBytes: 4_096 * MIB,
  baseCacheBytes: 16 * MIB,
  // The highest that git itself writes.
  deltaDepth: 4_095,
  shallowCommits: 65_536,
  commitBytes: MIB,
  documentBytes: 512 * KIB,
  manifestBytes: 8 * MIB,
  policyBytes: 256 * KIB,
  roots: 1_024,
  snapshotBytes: 32 * MIB,
  repositoryBytes: 512 * MIB,
  repositoryPacks: 256,
  childMemoryBytes: 256 * MIB,
  childAnswerBytes: 16 * MIB,
};

/** `bld/*` tags live this long: a fixed number of the clean-up script, not a setting. */
export const BUILD_TAG_DAYS = 30;
