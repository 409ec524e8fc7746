import type { Grant } from '../../schemas/console/people.ts';
import { notFound, type RequestRefused } from '../refusal.ts';
import { hashOf, newToken } from '../secrets.ts';
import type { ApiKeyRecord, ApiKeyStore } from '../store/ports/api-keys.ts';
import type { AuditAction, AuditEntry } from '../store/ports/audit.ts';
import { whenWritable } from '../store/unwritable.ts';
import type { Actor } from './actor.ts';
import { decidesOver, expectToGiveNow, reaches } from './giving.ts';

/** `last_used_at` is no finer than this: it would cost every call a write to disk. */
const USED_EVERY_MS = 10 * 60_000;

export interface ApiKeyDraft {
  readonly label: string;
  readonly grants: readonly Grant[];
  /** RFC 3339; null: until it is revoked. */
  readonly expires_at: string | null;
}

/** Keys of the API (`X-Api-Key`). What a key is to do, its maker may give at that moment (403 otherwise). */
export interface ApiKeys {
  /** The key itself, `secret`, is kept nowhere. */
  make(draft: ApiKeyDraft, by: Actor): Promise<{ readonly key: ApiKeyRecord; readonly secret: string }>;
  /** Null when there is no such key in force. */
  byHash(hash: string): Promise<ApiKeyRecord | null>;
  get(keyId: string): Promise<ApiKeyRecord | null>;
  /** Newest first. */
  list(): Promise<ApiKeyRecord[]>;
  /**
   * It is void from now on. Null when there is no such key; 404 when it is not theirs, or has no role in the tenant that is asked
   * for: decided in the step itself.
   */
  revoke(keyId: string, by: Actor, tenant?: string): Promise<ApiKeyRecord | null>;
  /** Notes that it was used, if it can be written. */
  used(key: ApiKeyRecord): Promise<void>;
  count(): Promise<number>;
}

export function createApiKeys(
  store: ApiKeyStore,
  { now, newId }: { readonly now: () => Date; readonly newId: () => string },
): ApiKeys {
  return {
    async make({ label, grants, expires_at }, by) {
      const secret = newToken('eka');
      const at = now();
      const key = {
        key_id: newId(),
        label,
        grants: [...grants],
        created_by: by.by,
        created_at: at.toISOString(),
        expires_at: expires_at === null ? null : new Date(expires_at).toISOString(),
      };
      await store.add(
        { ...key, hash: hashOf(secret) },
        {
          asker: by,
          decide: (_key, askerGrants) => {
            expectToGiveNow(grants, askerGrants);
            const until = expires_at === null ? '' : `, until ${key.expires_at}`;
            const message = `the API key "${label}" (${key.key_id}) was made: ${grantsInWords(grants)}${until}`;
            return { told: tell(by, 'api_key_made', grants, message) };
          },
        },
      );
      return { key: { ...key, last_used_at: null, revoked_at: null }, secret };
    },
    async byHash(hash) {
      const key = await store.byHash(hash);
      return key !== null && apiKeyState(key, now()) === 'active' ? key : null;
    },
    get: (keyId) => store.get(keyId),
    list: () => store.list(),
    revoke: (keyId, by, tenant) =>
      store.revoke(keyId, now(), {
        asker: by,
        decide: ({ label, grants }, askerGrants) => {
          if (!decidesOver({ grants: askerGrants }, grants) || !reaches(grants, tenant)) throw noSuchKey();
          return { told: tell(by, 'api_key_revoked', grants, `the API key "${label}" (${keyId}) is void`) };
        },
      }),
    async used(key) {
      const at = now();
      if (at.getTime() - Date.parse(key.last_used_at ?? '1970-01-01') < USED_EVERY_MS) return;
      await whenWritable(store.used(key.key_id, at));
    },
    count: () => store.count(),
  };
}

export function noSuchKey(): RequestRefused {
  return notFound('expected the id of a key of the API, found no such key');
}

function tell({ by, id }: Actor, action: AuditAction, grants: readonly Grant[], message: string): AuditEntry {
  return { action, tenant: onlyTenant(grants), agent_id: null, by, actor_id: id, message };
}

export function apiKeyState(
  { expires_at, revoked_at }: Pick<ApiKeyRecord, 'expires_at' | 'revoked_at'>,
  now: Date,
): 'active' | 'expired' | 'revoked' {
  if (revoked_at !== null) return 'revoked';
  return expires_at !== null && Date.parse(expires_at) <= now.getTime() ? 'expired' : 'active';
}

/** The tenant whose audit a change of these grants belongs to; null when it is of more than one. */
export function onlyTenant(grants: readonly Grant[]): string | null {
  const [first, ...others] = grants;
  return first === undefined || others.length > 0 || first.tenant === '*' ? null : first.tenant;
}

/** `admin of *, viewer of acme`. */
export function grantsInWords(grants: readonly Grant[]): string {
  return grants.map(({ tenant, role }) => `${role} of ${tenant}`).join(', ') || 'nothing';
}
