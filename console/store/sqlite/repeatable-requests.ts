import type { RepeatableRequest, RepeatableRequestStore } from '../ports/repeatable-requests.ts';
import type { ConsoleDatabase } from './database.ts';

export function createRepeatableRequestStore(database: ConsoleDatabase): RepeatableRequestStore {
  const { prepare } = database;
  return {
    begin: async ({ actor_id, key, request_sha256, begun_at }) =>
      database.write(() => {
        prepare(
          `INSERT INTO repeatable_requests (actor_id, key, request_sha256, begun_at) VALUES (?, ?, ?, ?)
           ON CONFLICT DO NOTHING`,
        ).run(actor_id, key, request_sha256, begun_at);
        const row = prepare(
          'SELECT actor_id, key, request_sha256, begun_at, answer FROM repeatable_requests WHERE actor_id = ? AND key = ?',
        ).get(actor_id, key);
        return row as unknown as RepeatableRequest;
      }),
    answered: async (actorId, key, answer) =>
      database.write(
        () =>
          void prepare(
            'UPDATE repeatable_requests SET answer = ? WHERE actor_id = ? AND key = ? AND answer IS NULL',
          ).run(answer, actorId, key),
      ),
    prune: async (before) =>
      database.write(() =>
        Number(
          prepare('DELETE FROM repeatable_requests WHERE begun_at < ?').run(before.toISOString()).changes,
        ),
      ),
  };
}
