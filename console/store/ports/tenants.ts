import { z } from 'zod';
import { ArtifactPrefix, SecureUrl } from '../../../schemas/urls.ts';

/** What a tenant's agents are told about bundles at enrolment, beside the console's own artifact folder. */
export const TenantArtifacts = z.strictObject({
  allow: z.array(ArtifactPrefix).max(63).default([]),
  endpoint: SecureUrl.nullable().default(null),
  access_key: z.string().min(1).nullable().default(null),
  secret_key: z.string().min(1).nullable().default(null),
});
export type TenantArtifacts = z.infer<typeof TenantArtifacts>;

export interface Tenant {
  readonly slug: string;
  /** SHA-256 of the exact text of the root document: what enrolment tokens carry. */
  readonly rootSha256: string;
  readonly artifacts: TenantArtifacts;
  readonly createdAt: string;
}

/** The text of a root document, and its SHA-256. */
export interface PinnedRoot {
  readonly sha256: string;
  readonly document: string;
}

export interface TenantRows {
  /** False, and nothing is done, when there is one of this name. `publisherHash`: `hashOf` its publisher token. */
  add(
    tenant: { readonly slug: string; readonly artifacts: TenantArtifacts; readonly publisherHash: string },
    root: PinnedRoot,
    at: Date,
  ): Promise<boolean>;
  /** False when there is no such tenant. The roots before stay, for the tokens that pin them. */
  setRoot(slug: string, root: PinnedRoot): Promise<boolean>;
  /** False when there is no such tenant. */
  setPublisher(slug: string, publisherHash: string): Promise<boolean>;
  get(slug: string): Promise<Tenant | null>;
  list(): Promise<Tenant[]>;
  /** Every root that tokens of the tenant have pinned. */
  rootDocuments(slug: string): Promise<string[]>;
  byPublisher(publisherHash: string): Promise<Tenant | null>;
}
