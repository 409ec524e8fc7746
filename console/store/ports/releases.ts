import type { ReleaseDetail } from '../../../schemas/console/release.ts';
import type { CommitInfo } from '../../../schemas/status.ts';
import type { TenantScope } from './tenant-scope.ts';

export type ReleasedFlow = ReleaseDetail['flows'][number];

export interface KnownRelease {
  readonly id: number;
  readonly tenant: string;
  readonly revision: string;
  readonly commit: CommitInfo | null;
  readonly seq: number | null;
  readonly first_seen_at: string;
  readonly newest: boolean;
  /** Null: the manifest at that revision has not been read. */
  readonly flows: ReleasedFlow[] | null;
}

/** What is told of a revision; what is null is not known to whoever tells it. */
export interface ReleaseNote {
  readonly tenant: string;
  readonly revision: string;
  readonly commit: CommitInfo | null;
  readonly seq: number | null;
}

export interface ReleaseStore {
  /** The branch points at it now: it is the tenant's newest. True when that is news. */
  pushed(note: ReleaseNote & { readonly flows: readonly ReleasedFlow[] | null }, at: Date): Promise<boolean>;
  /** What its repository says of a known one has been read. */
  read(note: ReleaseNote & { readonly flows: readonly ReleasedFlow[] }): Promise<void>;
  /** Newest first. */
  list(
    scope: TenantScope,
    query: { q?: string | undefined; limit: number; offset: number },
  ): Promise<{ releases: KnownRelease[]; total: number }>;
  /** The newest of each tenant, the newest first. */
  newest(scope: TenantScope): Promise<KnownRelease[]>;
  /** By the whole revision, or by at least seven digits that no other one of the tenant begins with. */
  get(tenant: string, revision: string): Promise<KnownRelease | null>;
  /** Drops the oldest of every tenant beyond `keep` that no agent has or wants. */
  prune(keep: number): Promise<number>;
}
