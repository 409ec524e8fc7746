import type { StateDocuments } from '../reconciler/ports.ts';

/** The documents of one tenant: an agent.yaml that names another one for a while must not touch them. */
export function tenantDocuments(documents: StateDocuments, slug: string): StateDocuments {
  const prefix = `tenant/${slug}/`;
  return {
    read: (key) => documents.read(prefix + key),
    write: (key, value) => documents.write(prefix + key, value),
    delete: (key) => documents.delete(prefix + key),
    list: (wanted) =>
      documents.list(prefix + wanted).map(({ key, value }) => ({ key: key.slice(prefix.length), value })),
    transaction: (work) => documents.transaction(work),
    afterCommit: (work) => documents.afterCommit(work),
  };
}
