import type { RequestIds } from '../ports/request-ids.ts';
import type { ConsoleDatabase } from './database.ts';
import { createPruning } from './pruning.ts';

export function createRequestIds(database: ConsoleDatabase): RequestIds {
  const { prepare, write } = database;
  return {
    isKnown: async (caller, jti) =>
      prepare('SELECT 1 FROM request_ids WHERE caller = ? AND jti = ?').get(caller, jti) !== undefined,
    keep: (caller, jti, expiresAt) =>
      write(() => {
        const insert = 'INSERT INTO request_ids (caller, jti, expires_at) VALUES (?, ?, ?)';
        prepare(insert).run(caller, jti, expiresAt);
      }),
    prune: async (before, signal) =>
      createPruning(database, signal).inPieces((limit) =>
        Number(
          prepare(
            `DELETE FROM request_ids WHERE (caller, jti) IN
               (SELECT caller, jti FROM request_ids WHERE expires_at < ? LIMIT ?)`,
          ).run(before, limit).changes,
        ),
      ),
  };
}
