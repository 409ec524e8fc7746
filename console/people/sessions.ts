import type { ConsoleLimits } from '../limits.ts';
import { hashOf, newToken } from '../secrets.ts';
import type { AuditEntry } from '../store/ports/audit.ts';
import type { SessionRecord, SessionStore } from '../store/ports/sessions.ts';
import { whenWritable } from '../store/unwritable.ts';
import { type CookieCall, createOwnCookie } from './cookies.ts';

/** `used_at` is no finer than this: it would cost every call a write to disk. */
const USED_EVERY_MS = 60_000;
/** Of one person; the oldest end. */
const KEPT = 20;

export interface OpenSession {
  /** What the cookie holds: 256 random bits, of which only the hash is kept. */
  readonly token: string;
  readonly record: SessionRecord;
}

/** Sessions of people, in a cookie. */
export interface Sessions {
  /** Null when the call has none that is good. */
  of(call: CookieCall): Promise<OpenSession | null>;
  /** While it is good. Looking is not using. */
  byHash(tokenHash: string): Promise<SessionRecord | null>;
  /**
   * A new one, never the one that the call came with (session fixation). `password` is its stored form: null when that was
   * changed meanwhile, or the person is gone.
   */
  open(personId: string, password: string, told: AuditEntry | null): Promise<OpenSession | null>;
  close(session: SessionRecord, told: AuditEntry): Promise<void>;
  /** Values of `Set-Cookie`. */
  cookie(token: string): string;
  noCookie(): string;
  prune(): Promise<number>;
}

export function createSessions(parts: {
  readonly store: SessionStore;
  readonly now: () => Date;
  readonly https: () => boolean;
  /** One that is not used for so long, or that began so long ago, is over. */
  readonly limits: Pick<ConsoleLimits, 'sessionIdleMs' | 'sessionMaxMs'>;
}): Sessions {
  const { store, now } = parts;
  const { sessionIdleMs, sessionMaxMs } = parts.limits;
  const cookie = createOwnCookie('edge_console', sessionMaxMs, parts.https);

  const byHash = async (tokenHash: string): Promise<SessionRecord | null> => {
    const record = await store.byHash(tokenHash);
    if (record === null) return null;
    const at = now().getTime();
    const idle = at - Date.parse(record.used_at);
    if (idle >= sessionIdleMs || at - Date.parse(record.created_at) >= sessionMaxMs) return null;
    return record;
  };

  return {
    byHash,
    async of(call) {
      const token = cookie.read(call);
      if (token === null) return null;
      const record = await byHash(hashOf(token));
      if (record === null) return null;
      const at = now();
      if (at.getTime() - Date.parse(record.used_at) >= USED_EVERY_MS) {
        await whenWritable(store.used(record.token_hash, at));
      }
      return { token, record };
    },
    async open(personId, password, told) {
      const token = newToken('ecs');
      const session = { token_hash: hashOf(token), person_id: personId, password };
      const record = await store.open(session, now(), KEPT, told);
      return record === null ? null : { token, record };
    },
    close: async (session, told) => store.close(session.token_hash, now(), told),
    cookie: (token) => cookie.set(token),
    noCookie: () => cookie.clear(),
    prune: async () => {
      const at = now().getTime();
      return store.prune(new Date(at - sessionIdleMs), new Date(at - sessionMaxMs));
    },
  };
}
