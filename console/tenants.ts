import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Slug } from '../schemas/names.ts';
import { rootDocumentFault } from './root-document.ts';
import { hashOf, newToken } from './secrets.ts';
import { type PinnedRoot, type Tenant, TenantArtifacts, type TenantRows } from './store/ports/tenants.ts';

export interface TenantStore extends Pick<TenantRows, 'get' | 'list' | 'rootDocuments'> {
  /** Adds the tenant and returns its publisher token, which is not kept; throws `TenantFault` on a bad or taken slug or root. */
  add(draft: {
    slug: string;
    rootDocument: string;
    artifacts: z.input<typeof TenantArtifacts>;
  }): Promise<string>;
  /** Replaces the root that later enrolment tokens pin; tokens that are out keep theirs. */
  setRoot(slug: string, rootDocument: string): Promise<void>;
  /** A new publisher token; the old one is void. */
  newPublisherToken(slug: string): Promise<string>;
  byPublisherToken(token: string): Promise<Tenant | null>;
}

/** A person asked for something that cannot be. */
export class TenantFault extends Error {
  override readonly name = 'TenantFault';
}

export function createTenantStore(rows: TenantRows, now: () => Date): TenantStore {
  return {
    get: rows.get,
    list: rows.list,
    rootDocuments: rows.rootDocuments,
    async add({ slug, rootDocument, artifacts }) {
      const name = Slug.safeParse(slug);
      if (!name.success) throw new TenantFault(`${z.prettifyError(name.error)}; found "${slug}"`);
      const offer = TenantArtifacts.safeParse(artifacts);
      if (!offer.success) throw new TenantFault(`artifacts: ${z.prettifyError(offer.error)}`);
      const root = await rootOf(rootDocument);
      const token = newToken('egp');
      const tenant = { slug, artifacts: offer.data, publisherHash: hashOf(token) };
      if (await rows.add(tenant, root, now())) return token;
      throw new TenantFault(`expected a new tenant, found ${slug} there already`);
    },
    async setRoot(slug, rootDocument) {
      const root = await rootOf(rootDocument);
      if (!(await rows.setRoot(slug, root))) throw unknownTenant(slug);
    },
    async newPublisherToken(slug) {
      const token = newToken('egp');
      if (!(await rows.setPublisher(slug, hashOf(token)))) throw unknownTenant(slug);
      return token;
    },
    byPublisherToken: async (token) => rows.byPublisher(hashOf(token)),
  };
}

/** Throws `TenantFault` when it is none. */
async function rootOf(document: string): Promise<PinnedRoot> {
  const fault = await rootDocumentFault(document);
  if (fault === null) return { sha256: createHash('sha256').update(document).digest('hex'), document };
  throw new TenantFault(
    `expected the text of a <n>.root.jws.json (make one with: edge-agent root new): ${fault}`,
  );
}

function unknownTenant(slug: string): TenantFault {
  return new TenantFault(
    `expected a tenant, found no "${slug}"; add it first: tenant add ${slug} --root <file>`,
  );
}
