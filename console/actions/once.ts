import { createHash } from 'node:crypto';
import type { ConsoleLimits } from '../limits.ts';
import type { Actor } from '../people/actor.ts';
import { RequestRefused } from '../refusal.ts';
import type { ConsoleSecrets } from '../secrets.ts';
import type { RepeatableBounds, RepeatableRequestStore } from '../store/ports/repeatable-requests.ts';

const KEPT_MS = 24 * 60 * 60_000;
const KEY = /^[\x21-\x7e]{1,200}$/;

/**
 * Ids of what a request makes. Of one that came with an `Idempotency-Key` they are the same whenever it comes again, so that
 * what was done before a crash is found and not done twice.
 */
export interface RequestIds {
  id(purpose: 'command' | 'run', about: string): string;
  /** False: nothing of this can have been done before. */
  readonly mayRepeat: boolean;
}

export interface Once {
  /**
   * Does `work` once for the actor's key; asked again within a day, the first answer is given again. Throws 400 for a key that
   * is none, 422 `idempotency_key_reused` for another request under it, 409 `request_under_way` while the first one is being done,
   * 429 `too_many_keys` for a new key of who has very many. What `work` throws is not kept: the same may be tried again. `mayHave` throws when the actor may not have the answer that was
   * kept: their grants may be others than when they asked.
   */
  answer<T>(
    actor: Actor,
    request: {
      readonly key: string | undefined;
      readonly what: unknown;
      readonly mayHave: (answer: T) => void;
    },
    work: (ids: RequestIds) => Promise<T>,
  ): Promise<{ readonly answer: T; readonly repeated: boolean }>;
  /** The same, but `work` finds out by its ids what was done before, and makes the answer anew. */
  again<T>(
    actor: Actor,
    request: { readonly key: string | undefined; readonly what: unknown },
    work: (ids: RequestIds) => Promise<T>,
  ): Promise<T>;
}

export function createOnce(parts: {
  readonly store: RepeatableRequestStore;
  readonly secrets: Pick<ConsoleSecrets, 'derived'>;
  readonly now: () => Date;
  readonly newId: () => string;
  readonly limits: Pick<ConsoleLimits, 'repeatableAnswers' | 'repeatableRequests'>;
}): Once {
  const { store, secrets, now, newId, limits } = parts;
  const bounds = { answers: limits.repeatableAnswers, requests: limits.repeatableRequests };
  const underWay = new Set<string>();
  const fresh: RequestIds = { id: () => newId(), mayRepeat: false };

  const begin = async (actor: Actor, key: string, what: unknown) => {
    if (!KEY.test(key)) {
      const message = 'expected an Idempotency-Key of 1 to 200 visible ASCII characters, found another';
      throw new RequestRefused(400, 'idempotency_key_invalid', message);
    }
    const request_sha256 = createHash('sha256').update(JSON.stringify(what)).digest('hex');
    const begun_at = now().toISOString();
    const begunHere = await store.begin({ actor_id: actor.id, key, request_sha256, begun_at }, bounds);
    if (begunHere.kind === 'too_many') throw tooMany(bounds, begunHere.oldest, now());
    const found = begunHere.request;
    if (found.request_sha256 !== request_sha256) {
      const message = `expected the same request under the Idempotency-Key as at ${found.begun_at}, found another; a new request needs a key of its own`;
      throw new RequestRefused(422, 'idempotency_key_reused', message);
    }
    const begun = Date.parse(found.begun_at);
    const ids: RequestIds = {
      id: (purpose, about) => uuid(begun, secrets.derived(purpose, [actor.id, key, about])),
      mayRepeat: true,
    };
    return { found, ids };
  };

  /** One at a time for a key. */
  const alone = async <T>(actor: Actor, key: string, work: () => Promise<T>): Promise<T> => {
    const name = `${actor.id} ${key}`;
    if (underWay.has(name)) {
      const message =
        'expected one request at a time under an Idempotency-Key, found the first still under way; ask again';
      throw new RequestRefused(409, 'request_under_way', message, { 'retry-after': '2' });
    }
    underWay.add(name);
    try {
      return await work();
    } finally {
      underWay.delete(name);
    }
  };

  return {
    async answer<T>(
      actor: Actor,
      { key, what, mayHave }: { key: string | undefined; what: unknown; mayHave: (answer: T) => void },
      work: (ids: RequestIds) => Promise<T>,
    ) {
      if (key === undefined) return { answer: await work(fresh), repeated: false };
      return alone(actor, key, async () => {
        const { found, ids } = await begin(actor, key, what);
        if (found.answer !== null) {
          const answer = JSON.parse(found.answer) as T;
          mayHave(answer);
          return { answer, repeated: true };
        }
        const answer = await work(ids);
        await store.answered(actor.id, key, JSON.stringify(answer));
        return { answer, repeated: false };
      });
    },
    async again(actor, { key, what }, work) {
      if (key === undefined) return work(fresh);
      return alone(actor, key, async () => work((await begin(actor, key, what)).ids));
    },
  };
}

function tooMany({ answers, requests }: RepeatableBounds, oldest: string, now: Date): RequestRefused {
  const waitS = Math.ceil((Date.parse(oldest) + KEPT_MS - now.getTime()) / 1_000);
  const message = `expected at most ${answers} answers and ${requests} requests under Idempotency-Keys of yours within 24 h, found more; use one key for all tries of one request, ask many agents at once, or leave the key out`;
  // Those that are too old go once an hour.
  return new RequestRefused(429, 'too_many_keys', message, { 'retry-after': String(Math.max(60, waitS)) });
}

/** The form of a UUIDv7 (RFC 9562, section 5.7) of a moment, with given bytes in the place of chance. */
function uuid(atMs: number, bytes: Uint8Array): string {
  const rest = Buffer.from(bytes.subarray(0, 10));
  rest[0] = 0x70 | ((rest[0] ?? 0) & 0x0f);
  rest[2] = 0x80 | ((rest[2] ?? 0) & 0x3f);
  const hex = atMs.toString(16).padStart(12, '0') + rest.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
