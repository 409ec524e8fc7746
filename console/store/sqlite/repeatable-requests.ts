import type {
  Begun,
  RepeatableBounds,
  RepeatableRequest,
  RepeatableRequestStore,
} from '../ports/repeatable-requests.ts';
import type { ConsoleDatabase } from './database.ts';
import { createPruning } from './pruning.ts';

export function createRepeatableRequestStore(database: ConsoleDatabase): RepeatableRequestStore {
  const { prepare } = database;
  return {
    begin: async (request, bounds) =>
      database.write((): Begun => {
        const { actor_id, key, request_sha256, begun_at } = request;
        const row = prepare(
          'SELECT actor_id, key, request_sha256, begun_at, answer FROM repeatable_requests WHERE actor_id = ? AND key = ?',
        ).get(actor_id, key);
        if (row !== undefined) return { kind: 'there', request: row as unknown as RepeatableRequest };
        const { answers, requests } = prepare(
          `SELECT (SELECT count(*) FROM repeatable_requests WHERE actor_id = :actor AND answer IS NOT NULL) AS answers,
             (SELECT count(*) FROM repeatable_requests WHERE actor_id = :actor) AS requests`,
        ).get({ actor: actor_id }) as unknown as RepeatableBounds;
        if (answers >= bounds.answers || requests >= bounds.requests) {
          const { oldest } = prepare(
            'SELECT min(begun_at) AS oldest FROM repeatable_requests WHERE actor_id = ?',
          ).get(actor_id) as { oldest: string };
          return { kind: 'too_many', oldest };
        }
        prepare(
          'INSERT INTO repeatable_requests (actor_id, key, request_sha256, begun_at) VALUES (?, ?, ?, ?)',
        ).run(actor_id, key, request_sha256, begun_at);
        return { kind: 'there', request: { ...request, answer: null } };
      }),
    answered: async (actorId, key, answer) =>
      database.write(
        () =>
          void prepare(
            'UPDATE repeatable_requests SET answer = ? WHERE actor_id = ? AND key = ? AND answer IS NULL',
          ).run(answer, actorId, key),
      ),
    prune: async (before, signal) =>
      createPruning(database, signal).inPieces((limit) =>
        Number(
          prepare(
            `DELETE FROM repeatable_requests WHERE (actor_id, key) IN
               (SELECT actor_id, key FROM repeatable_requests WHERE begun_at < ? LIMIT ?)`,
          ).run(before.toISOString(), limit).changes,
        ),
      ),
  };
}
