import type { CommandChannel, CommandStore, StoredCommand } from '../reconciler/ports.ts';
import type { Command } from '../schemas/command.ts';
import type { Database } from './database.ts';

const FORGOTTEN_UNTIL_KEY = 'commands/forgotten_until';

/**
 * Verified commands in `agent.db`, remembered until they expire so that each is taken once (contract, section 8). The order is
 * that of insertion. `done` throws for a command that is not there or done already: a bug of the caller.
 */
export function createCommandStore(database: Database): CommandStore {
  const { sqlite, transaction } = database;
  const insert = sqlite.prepare(
    `INSERT INTO commands (command_id, command, via, received_ms, expires_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (command_id) DO NOTHING`,
  );
  const select = sqlite.prepare('SELECT * FROM commands WHERE command_id = ?');
  const selectPending = sqlite.prepare('SELECT * FROM commands WHERE done_ms IS NULL ORDER BY id LIMIT ?');
  const finish = sqlite.prepare(
    `UPDATE commands SET done_ms = ?, outcome = ?, command = json_remove(command, '$.inputs')
     WHERE command_id = ? AND done_ms IS NULL`,
  );
  const selectExpired = sqlite.prepare(
    'SELECT max(expires_ms) AS until FROM commands WHERE done_ms IS NOT NULL AND expires_ms < ?',
  );
  const removeExpired = sqlite.prepare('DELETE FROM commands WHERE done_ms IS NOT NULL AND expires_ms < ?');
  const selectCount = sqlite.prepare(
    `SELECT (SELECT count(*) FROM commands WHERE done_ms IS NULL) AS pending,
            (SELECT count(*) FROM commands) AS everything`,
  );
  const selectForgotten = sqlite.prepare('SELECT value FROM documents WHERE key = ?');
  const upsertForgotten = sqlite.prepare(
    `INSERT INTO documents (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
  );

  const forgottenUntil = (): Date | null => {
    const row = selectForgotten.get(FORGOTTEN_UNTIL_KEY);
    return row === undefined ? null : new Date(JSON.parse(String(row['value'])) as string);
  };

  return {
    forgottenUntil,
    insert(command, via, at) {
      const expires = Date.parse(command.expires);
      const { changes } = insert.run(command.command_id, JSON.stringify(command), via, at.getTime(), expires);
      return Number(changes) === 1;
    },
    get(commandId) {
      const row = select.get(commandId);
      return row === undefined ? null : toCommand(row);
    },
    pending(limit) {
      return selectPending.all(limit).map(toCommand);
    },
    done(commandId, at, outcome) {
      if (Number(finish.run(at.getTime(), outcome, commandId).changes) === 1) return;
      throw new Error(`expected a command ${commandId} that is not done, found none`);
    },
    prune(now) {
      return transaction(() => {
        const until = selectExpired.get(now.getTime())?.['until'] ?? null;
        if (until === null) return 0;
        const before = forgottenUntil()?.getTime() ?? 0;
        const latest = new Date(Math.max(Number(until), before)).toISOString();
        upsertForgotten.run(FORGOTTEN_UNTIL_KEY, JSON.stringify(latest));
        return Number(removeExpired.run(now.getTime()).changes);
      });
    },
    count() {
      const row = selectCount.get();
      return { pending: Number(row?.['pending']), all: Number(row?.['everything']) };
    },
  };
}

/** Written by this agent alone, so read back as it was written. */
function toCommand(row: Record<string, unknown>): StoredCommand {
  const { done_ms: doneMs, outcome } = row;
  return {
    command: JSON.parse(String(row['command'])) as Command,
    via: String(row['via']) as CommandChannel,
    receivedAt: new Date(Number(row['received_ms'])).toISOString(),
    doneAt: doneMs === null ? null : new Date(Number(doneMs)).toISOString(),
    outcome: typeof outcome === 'string' ? outcome : null,
  };
}
