import type { TriggerKeyFacts } from '../../schemas/console/trigger-key.ts';
import type { PrivateJwk } from '../../schemas/jws.ts';
import { halvesMatch } from '../../trust/device-key.ts';
import { publicPart, thumbprint } from '../../trust/thumbprint.ts';
import type { Actor } from '../people/actor.ts';
import { RequestRefused } from '../refusal.ts';
import type { TriggerKeyRecord, TriggerKeyStore } from '../store/ports/trigger-keys.ts';
import { openSealedKey, sealKey } from './sealed-key.ts';

/** A root is looked at again after so long: the look costs processes of git. */
const LOOKED_FOR_MS = 60_000;
const LOOKS_KEPT = 10_000;

/** With which key the console signs for a tenant, or why it cannot; `message` says what to do. */
export type Signer =
  | { readonly kind: 'key'; readonly kid: string; readonly key: PrivateJwk }
  | {
      readonly kind: 'none';
      readonly code: 'no_trigger_key' | 'trigger_key_unreadable' | 'key_not_allowed';
      readonly message: string;
    };

/** The trigger keys that owners of tenants have given the console (docs/decisions/0093-trigger-key-at-the-console.md). */
export interface TriggerKeys {
  /** In the place of the one before. 422 `key_not_allowed` when the root does not list it for the trigger role. */
  give(tenant: string, key: PrivateJwk, by: Actor): Promise<TriggerKeyFacts>;
  /** False when there was none. */
  remove(tenant: string, by: Actor): Promise<boolean>;
  about(tenant: string): Promise<TriggerKeyFacts | null>;
  /** Those of all tenants that have one, by slug. */
  all(): Promise<ReadonlyMap<string, TriggerKeyFacts>>;
  signer(tenant: string): Promise<Signer>;
}

export function createTriggerKeys(parts: {
  readonly store: TriggerKeyStore;
  readonly sealingKey: Uint8Array;
  readonly now: () => Date;
  /** Why no agent of the tenant would take a command by the key; null when one might. */
  readonly fault: (tenant: string, kid: string) => Promise<string | null>;
}): TriggerKeys {
  const { store, sealingKey, now, fault } = parts;
  const looks = new Map<string, { readonly at: number; readonly fault: string | null }>();

  const faultOf = async (tenant: string, kid: string): Promise<string | null> => {
    const name = `${tenant}/${kid}`;
    const known = looks.get(name);
    const at = now().getTime();
    if (known !== undefined && Math.abs(at - known.at) < LOOKED_FOR_MS) return known.fault;
    const found = await fault(tenant, kid);
    looks.delete(name);
    looks.set(name, { at, fault: found });
    if (looks.size > LOOKS_KEPT) looks.delete(looks.keys().next().value as string);
    return found;
  };

  return {
    async give(tenant, key, by) {
      if (!halvesMatch(key)) {
        const message = 'expected a private Ed25519 key whose halves belong together, found two that do not';
        throw new RequestRefused(422, 'key_invalid', message);
      }
      const kid = thumbprint(key);
      const wrong = await fault(tenant, kid);
      if (wrong !== null) throw new RequestRefused(422, 'key_not_allowed', wrong);
      looks.delete(`${tenant}/${kid}`);
      const bare = { ...publicPart(key), d: key.d };
      const facts = { kid, added_at: now().toISOString(), added_by: by.by };
      const told = { ...entry(tenant, by), action: 'trigger_key_set' } as const;
      const message = `the console signs commands for ${tenant} with the trigger key ${kid} from now on`;
      const sealed = sealKey(sealingKey, { tenant, kid }, bare);
      await store.put({ tenant, sealed, ...facts }, { ...told, message });
      return facts;
    },
    remove: async (tenant, by) =>
      store.remove(
        tenant,
        {
          ...entry(tenant, by),
          action: 'trigger_key_removed',
          message: `the console signs no commands for ${tenant} any more`,
        },
        now(),
      ),
    async about(tenant) {
      const found = await store.get(tenant);
      return found === null ? null : factsOf(found);
    },
    all: async () => new Map((await store.list()).map((found) => [found.tenant, factsOf(found)])),
    async signer(tenant) {
      const found = await store.get(tenant);
      if (found === null) {
        const message = `expected a trigger key of ${tenant} at this console, found none; an admin gives it one (edge-console tenant trigger-key ${tenant} --key <file>), or sign where the key is (edge-console command)`;
        return { kind: 'none', code: 'no_trigger_key', message };
      }
      const { kid } = found;
      const key = openSealedKey(sealingKey, { tenant, kid }, found.sealed);
      if (key === null) {
        const message = `expected the trigger key of ${tenant} to open with this console's console.key, found that it does not; give it the key again`;
        return { kind: 'none', code: 'trigger_key_unreadable', message };
      }
      const wrong = await faultOf(tenant, kid);
      if (wrong !== null) return { kind: 'none', code: 'key_not_allowed', message: wrong };
      return { kind: 'key', kid, key };
    },
  };
}

function factsOf({ kid, added_at, added_by }: TriggerKeyRecord): TriggerKeyFacts {
  return { kid, added_at, added_by };
}

function entry(tenant: string, { by, id }: Actor) {
  return { tenant, agent_id: null, by, actor_id: id };
}
