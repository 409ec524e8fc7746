import type { RequestIds } from '../ports/request-ids.ts';
import type { ConsoleDatabase } from './database.ts';

export function createRequestIds({ prepare, write }: ConsoleDatabase): RequestIds {
  return {
    isKnown: async (caller, jti) =>
      prepare('SELECT 1 FROM request_ids WHERE caller = ? AND jti = ?').get(caller, jti) !== undefined,
    keep: (caller, jti, expiresAt) =>
      write(() => {
        const insert = 'INSERT INTO request_ids (caller, jti, expires_at) VALUES (?, ?, ?)';
        prepare(insert).run(caller, jti, expiresAt);
      }),
    prune: (before) =>
      write(() => Number(prepare('DELETE FROM request_ids WHERE expires_at < ?').run(before).changes)),
  };
}
