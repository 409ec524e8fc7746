import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Slug } from '../schemas/names.ts';
import { ArtifactPrefix, SecureUrl } from '../schemas/urls.ts';
import { rootDocumentFault } from './root-document.ts';
import { hashOf, newToken } from './secrets.ts';
import type { ConsoleDatabase } from './store/sqlite/database.ts';

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

export interface TenantStore {
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
  get(slug: string): Promise<Tenant | null>;
  list(): Promise<Tenant[]>;
  /** Every root that tokens of the tenant have pinned. */
  rootDocuments(slug: string): Promise<string[]>;
  byPublisherToken(token: string): Promise<Tenant | null>;
}

/** A person asked for something that cannot be. */
export class TenantFault extends Error {
  override readonly name = 'TenantFault';
}

interface Row {
  slug: string;
  root_sha256: string;
  artifacts: string;
  created_at: string;
}

const SELECT = 'SELECT slug, root_sha256, artifacts, created_at FROM tenants';

export function createTenantStore(database: ConsoleDatabase, now: () => Date): TenantStore {
  const { prepare, write } = database;
  const get = (slug: string) => tenantBy(database, 'slug', slug);

  const keepRoot = (slug: string, document: string): string => {
    const sha256 = createHash('sha256').update(document).digest('hex');
    prepare('INSERT INTO tenant_roots (slug, sha256, document) VALUES (?, ?, ?) ON CONFLICT DO NOTHING').run(
      slug,
      sha256,
      document,
    );
    return sha256;
  };

  return {
    get: async (slug) => get(slug),
    async add({ slug, rootDocument, artifacts }) {
      const name = Slug.safeParse(slug);
      if (!name.success) throw new TenantFault(`${z.prettifyError(name.error)}; found "${slug}"`);
      const offer = TenantArtifacts.safeParse(artifacts);
      if (!offer.success) throw new TenantFault(`artifacts: ${z.prettifyError(offer.error)}`);
      await checkRoot(rootDocument);
      const token = newToken('egp');
      await write(() => {
        if (get(slug) !== null) throw new TenantFault(`expected a new tenant, found ${slug} there already`);
        prepare(
          'INSERT INTO tenants (slug, root_sha256, artifacts, publisher_hash, created_at) VALUES (?, ?, ?, ?, ?)',
        ).run(slug, '', JSON.stringify(offer.data), hashOf(token), now().toISOString());
        prepare('UPDATE tenants SET root_sha256 = ? WHERE slug = ?').run(keepRoot(slug, rootDocument), slug);
      });
      return token;
    },
    async setRoot(slug, rootDocument) {
      await checkRoot(rootDocument);
      await write(() => {
        known(get(slug), slug);
        prepare('UPDATE tenants SET root_sha256 = ? WHERE slug = ?').run(keepRoot(slug, rootDocument), slug);
      });
    },
    newPublisherToken: (slug) =>
      write(() => {
        known(get(slug), slug);
        const token = newToken('egp');
        prepare('UPDATE tenants SET publisher_hash = ? WHERE slug = ?').run(hashOf(token), slug);
        return token;
      }),
    list: async () =>
      prepare(`${SELECT} ORDER BY slug`)
        .all()
        .flatMap((row) => one(row) ?? []),
    rootDocuments: async (slug) =>
      (prepare('SELECT document FROM tenant_roots WHERE slug = ?').all(slug) as { document: string }[]).map(
        ({ document }) => document,
      ),
    byPublisherToken: async (token) => tenantBy(database, 'publisher_hash', hashOf(token)),
  };
}

/** For the works of other stores. */
export function tenantBy(
  { prepare }: Pick<ConsoleDatabase, 'prepare'>,
  column: 'slug' | 'publisher_hash',
  value: string,
): Tenant | null {
  return one(prepare(`${SELECT} WHERE ${column} = ?`).get(value));
}

/** For the works of other stores: the text that tokens with this hash pin. */
export function rootDocumentOf(
  { prepare }: Pick<ConsoleDatabase, 'prepare'>,
  slug: string,
  sha256: string,
): string | null {
  const find = 'SELECT document FROM tenant_roots WHERE slug = ? AND sha256 = ?';
  const row = prepare(find).get(slug, sha256) as { document: string } | undefined;
  return row?.document ?? null;
}

function one(row: unknown): Tenant | null {
  if (row === undefined) return null;
  const found = row as Row;
  return {
    slug: found.slug,
    rootSha256: found.root_sha256,
    artifacts: TenantArtifacts.parse(JSON.parse(found.artifacts)),
    createdAt: found.created_at,
  };
}

function known(tenant: Tenant | null, slug: string): asserts tenant is Tenant {
  if (tenant === null)
    throw new TenantFault(
      `expected a tenant, found no "${slug}"; add it first: tenant add ${slug} --root <file>`,
    );
}

async function checkRoot(document: string): Promise<void> {
  const fault = await rootDocumentFault(document);
  if (fault === null) return;
  throw new TenantFault(
    `expected the text of a <n>.root.jws.json (make one with: edge-agent root new): ${fault}`,
  );
}
