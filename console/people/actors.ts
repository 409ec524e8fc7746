import type { IncomingHttpHeaders } from 'node:http';
import { RequestRefused } from '../refusal.ts';
import { hashOf } from '../secrets.ts';
import type { Actor } from './actor.ts';
import type { ApiKeys } from './api-keys.ts';

/** The part of a request that tells who asks. */
export interface ActorCall {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly ip: string;
}

/** Who asks, by an `X-Api-Key` or a session. Throws `RequestRefused`: 401 without credentials, or with wrong ones. */
export interface Actors {
  actor(call: ActorCall): Promise<Actor>;
  /** Whether their credentials are still in force and may still do the same: for streams, which outlive the request. */
  stands(actor: Actor): Promise<boolean>;
}

export function createActors(parts: {
  readonly apiKeys: ApiKeys;
  /** Throws the refusal, or 429 when this address has guessed too often. */
  readonly disbelieve: (call: ActorCall, refusal: RequestRefused) => never;
}): Actors {
  const { apiKeys, disbelieve } = parts;

  const ofKey = async (hash: string): Promise<Actor | null> => {
    const key = await apiKeys.byHash(hash);
    if (key === null) return null;
    await apiKeys.used(key);
    const { key_id: id, label, grants } = key;
    return { kind: 'key', id, name: label, by: `key:${label}`, grants, credential: hash };
  };

  return {
    async actor(call) {
      const key = call.headers['x-api-key'];
      if (typeof key === 'string') {
        const actor = await ofKey(hashOf(key));
        if (actor !== null) return actor;
        const message =
          'expected X-Api-Key with a key of this console that is in force, found one that is unknown, expired or revoked (a new one: edge-console key new)';
        disbelieve(call, new RequestRefused(401, 'credentials_refused', message));
      }
      const message =
        'expected X-Api-Key with a key of this console (a new one: edge-console key new), or a session (sign in at /sign-in)';
      throw new RequestRefused(401, 'credentials_refused', message);
    },
    async stands(actor) {
      if (actor.credential === null) return true;
      const now = await ofKey(actor.credential);
      return now !== null && JSON.stringify(now.grants) === JSON.stringify(actor.grants);
    },
  };
}
