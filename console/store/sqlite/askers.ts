import type { Grant } from '../../../schemas/console/people.ts';
import type { Asker } from '../ports/askers.ts';
import type { ConsoleDatabase } from './database.ts';

/** For the works of other stores: what who asks may do now; nothing, when they are there no more. */
export function askerGrants(
  { prepare }: Pick<ConsoleDatabase, 'prepare'>,
  asker: Asker,
  at: Date,
): readonly Grant[] {
  switch (asker.kind) {
    case 'program':
      return [{ tenant: '*', role: 'admin' }];
    case 'person':
      return plain(
        prepare(
          `SELECT tenant, role FROM person_grants JOIN people USING (person_id)
           WHERE person_id = ? AND password IS NOT NULL ORDER BY tenant`,
        ).all(asker.id),
      );
    case 'key':
      return plain(
        prepare(
          `SELECT tenant, role FROM api_key_grants JOIN api_keys USING (key_id)
           WHERE key_id = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?) ORDER BY tenant`,
        ).all(asker.id, at.toISOString()),
      );
  }
}

function plain(rows: readonly unknown[]): Grant[] {
  return rows.map((row) => ({ ...(row as Grant) }));
}
