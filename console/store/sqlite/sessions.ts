import type { SessionRecord, SessionStore } from '../ports/sessions.ts';
import { insertAudit } from './audit.ts';
import type { ConsoleDatabase } from './database.ts';
import { readPerson } from './people.ts';

export function createSessionStore(database: ConsoleDatabase): SessionStore {
  const { prepare, write } = database;
  const find = (tokenHash: string): SessionRecord | null => {
    const row = prepare('SELECT person_id, created_at, used_at FROM sessions WHERE token_hash = ?').get(
      tokenHash,
    ) as { person_id: string; created_at: string; used_at: string } | undefined;
    const person = row === undefined ? null : readPerson(database, 'people.person_id', row.person_id);
    if (row === undefined || person === null) return null;
    const { created_at, used_at } = row;
    return { token_hash: tokenHash, created_at, used_at, person: person.person };
  };
  return {
    open: async ({ token_hash, person_id, password }, at, keep, told) =>
      write(() => {
        if (readPerson(database, 'people.person_id', person_id)?.password !== password) return null;
        const time = at.toISOString();
        prepare('INSERT INTO sessions (token_hash, person_id, created_at, used_at) VALUES (?, ?, ?, ?)').run(
          token_hash,
          person_id,
          time,
          time,
        );
        prepare('UPDATE people SET last_sign_in_at = ? WHERE person_id = ?').run(time, person_id);
        prepare(
          `DELETE FROM sessions WHERE person_id = :person AND token_hash NOT IN (SELECT token_hash FROM sessions
             WHERE person_id = :person ORDER BY created_at DESC, rowid DESC LIMIT :keep)`,
        ).run({ person: person_id, keep });
        if (told !== null) insertAudit(database, told, at);
        return find(token_hash);
      }),
    byHash: async (tokenHash) => find(tokenHash),
    used: async (tokenHash, at) =>
      write(
        () =>
          void prepare('UPDATE sessions SET used_at = ? WHERE token_hash = ?').run(
            at.toISOString(),
            tokenHash,
          ),
      ),
    close: async (tokenHash, at, told) =>
      write(() => {
        const done = prepare('DELETE FROM sessions WHERE token_hash = ?').run(tokenHash);
        if (done.changes > 0) insertAudit(database, told, at);
      }),
    prune: async (usedBefore, createdBefore) =>
      write(() =>
        Number(
          prepare('DELETE FROM sessions WHERE used_at < ? OR created_at < ?').run(
            usedBefore.toISOString(),
            createdBefore.toISOString(),
          ).changes,
        ),
      ),
  };
}
