import { type PinnedRoot, type Tenant, TenantArtifacts, type TenantRows } from '../ports/tenants.ts';
import type { ConsoleDatabase } from './database.ts';

interface Row {
  slug: string;
  root_sha256: string;
  artifacts: string;
  created_at: string;
}

const SELECT = 'SELECT slug, root_sha256, artifacts, created_at FROM tenants';

export function createTenantRows(database: ConsoleDatabase): TenantRows {
  const { prepare, write } = database;
  const get = (slug: string) => tenantBy(database, 'slug', slug);

  const pin = (slug: string, { sha256, document }: PinnedRoot): void => {
    prepare('INSERT INTO tenant_roots (slug, sha256, document) VALUES (?, ?, ?) ON CONFLICT DO NOTHING').run(
      slug,
      sha256,
      document,
    );
    prepare('UPDATE tenants SET root_sha256 = ? WHERE slug = ?').run(sha256, slug);
  };

  return {
    get: async (slug) => get(slug),
    add: ({ slug, artifacts, publisherHash }, root, at) =>
      write(() => {
        if (get(slug) !== null) return false;
        prepare(
          'INSERT INTO tenants (slug, root_sha256, artifacts, publisher_hash, created_at) VALUES (?, ?, ?, ?, ?)',
        ).run(slug, '', JSON.stringify(artifacts), publisherHash, at.toISOString());
        pin(slug, root);
        return true;
      }),
    setRoot: (slug, root) =>
      write(() => {
        if (get(slug) === null) return false;
        pin(slug, root);
        return true;
      }),
    setPublisher: (slug, publisherHash) =>
      write(() => {
        const set = 'UPDATE tenants SET publisher_hash = ? WHERE slug = ?';
        return prepare(set).run(publisherHash, slug).changes > 0;
      }),
    list: async () =>
      prepare(`${SELECT} ORDER BY slug`)
        .all()
        .flatMap((row) => one(row) ?? []),
    rootDocuments: async (slug) =>
      (prepare('SELECT document FROM tenant_roots WHERE slug = ?').all(slug) as { document: string }[]).map(
        ({ document }) => document,
      ),
    byPublisher: async (publisherHash) => tenantBy(database, 'publisher_hash', publisherHash),
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
