import type { IncomingHttpHeaders } from 'node:http';
import { RequestRefused } from '../refusal.ts';
import { hashOf } from '../secrets.ts';
import type { ApiKeyRecord } from '../store/ports/api-keys.ts';
import type { SessionRecord } from '../store/ports/sessions.ts';
import type { Actor } from './actor.ts';
import type { ApiKeys } from './api-keys.ts';
import { expectOwnPage } from './own-pages.ts';
import type { OpenSession, Sessions } from './sessions.ts';

/** What does not change anything (RFC 9110, 9.2.1), and so needs no proof that a page of ours asks. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The part of a request that tells who asks. */
export interface ActorCall {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly ip: string;
}

/**
 * Who asks, by an `X-Api-Key` or a session. Throws `RequestRefused`: 401 without credentials, or with wrong ones; 403 when a
 * session would pay for a write that no page of ours makes.
 */
export interface Actors {
  actor(call: ActorCall): Promise<Actor>;
  /** The session of a call that carries one; the same rules. 401 without one. */
  session(call: ActorCall): Promise<OpenSession>;
  /** Whether their credentials are still in force and may still do the same: for streams, which outlive the request. */
  stands(actor: Actor): Promise<boolean>;
}

export function createActors(parts: {
  readonly apiKeys: ApiKeys;
  readonly sessions: Sessions;
  readonly publicUrl: () => string;
  /** Throws the refusal, or 429 when this address has guessed too often. */
  readonly disbelieve: (call: ActorCall, refusal: RequestRefused) => never;
}): Actors {
  const { apiKeys, sessions, disbelieve } = parts;

  const sessionOf = async (call: ActorCall): Promise<OpenSession | null> => {
    const session = await sessions.of(call);
    if (session !== null && !SAFE.has(call.method)) {
      expectOwnPage(call.headers, parts.publicUrl(), session.token);
    }
    return session;
  };

  return {
    async actor(call) {
      const key = call.headers['x-api-key'];
      if (typeof key === 'string') {
        const found = await apiKeys.byHash(hashOf(key));
        if (found !== null) {
          await apiKeys.used(found);
          return ofKey(found, hashOf(key));
        }
        const message =
          'expected X-Api-Key with a key of this console that is in force, found one that is unknown, expired or revoked (a new one: edge-console key new)';
        disbelieve(call, new RequestRefused(401, 'credentials_refused', message));
      }
      const session = await sessionOf(call);
      if (session !== null) return ofSession(session.record);
      const message =
        'expected X-Api-Key with a key of this console (a new one: edge-console key new), or a session (sign in at /sign-in)';
      throw new RequestRefused(401, 'credentials_refused', message);
    },
    async session(call) {
      const session = await sessionOf(call);
      if (session !== null) return session;
      const message = 'expected a session, which only people have, found none; sign in';
      throw new RequestRefused(401, 'credentials_refused', message);
    },
    async stands({ kind, credential, grants }) {
      if (credential === null) return true;
      const key = kind === 'key' ? await apiKeys.byHash(credential) : null;
      const session = kind === 'person' ? await sessions.byHash(credential) : null;
      const now = key?.grants ?? session?.person.grants ?? null;
      return now !== null && JSON.stringify(now) === JSON.stringify(grants);
    },
  };
}

function ofKey({ key_id: id, label, grants }: ApiKeyRecord, hash: string): Actor {
  return { kind: 'key', id, name: label, by: `key:${label}`, grants, credential: hash };
}

function ofSession({ person, token_hash }: SessionRecord): Actor {
  const { person_id: id, login, grants } = person;
  return { kind: 'person', id, name: login, by: `person:${login}`, grants, credential: token_hash };
}
