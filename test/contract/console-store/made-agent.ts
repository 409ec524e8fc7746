import type { AgentDescription } from '../../../console/store/ports/agents.ts';
import type { AuditEntry } from '../../../console/store/ports/audit.ts';
import type { ConsoleStore } from '../../../console/store/ports/console-store.ts';

export const AT = new Date('2026-11-20T15:00:00.000Z');
export const later = (minutes: number) => new Date(AT.getTime() + minutes * 60_000);

/** One as enrolment describes it; its key has the thumbprint `key of <id>`. */
export function madeAgent(id: string, tenant = 'acme'): AgentDescription {
  return {
    agent_id: id,
    tenant,
    thumbprint: `key of ${id}`,
    device_jwk: { kty: 'OKP', crv: 'Ed25519', x: id },
    hostname: `pc of ${id}`,
    os: 'linux',
    arch: 'x64',
    agent_version: '1',
    enrolled_at: AT.toISOString(),
  };
}

export async function addTenant(store: ConsoleStore, slug: string): Promise<boolean> {
  const artifacts = { allow: [], endpoint: null, access_key: null, secret_key: null };
  const root = { sha256: `root of ${slug}`, document: `document of ${slug}` };
  return store.tenants.add({ slug, artifacts, publisherHash: `publisher of ${slug}` }, root, AT);
}

/** The tenants acme and globex; the agents a1 and a2 of the first, g1 of the second. */
export async function furnish(store: ConsoleStore): Promise<void> {
  for (const slug of ['acme', 'globex']) await addTenant(store, slug);
  for (const id of ['a1', 'a2']) await store.agents.save(madeAgent(id), `token of ${id}`);
  await store.agents.save(madeAgent('g1', 'globex'), 'token of g1');
}

export function toldOf(message: string, action: AuditEntry['action'] = 'key_rotated'): AuditEntry {
  return { action, tenant: 'acme', agent_id: null, by: 'person:ada', message };
}
