import type { PublicJwk } from '../../../schemas/jws.ts';
import type { DeviceKeyRows, FormerKey, KeyRotated, KeyRotation, KeyStanding } from '../ports/device-keys.ts';
import { insertAudit } from './audit.ts';
import type { ConsoleDatabase } from './database.ts';

export function createDeviceKeyRows(database: ConsoleDatabase): DeviceKeyRows {
  const { prepare, write } = database;

  const expectedToChange = ({ agent_id, from, next, everyMs }: KeyRotation, at: Date): KeyRotated => {
    const { thumbprint, key_since } = prepare(
      'SELECT thumbprint, key_since FROM agents WHERE agent_id = ?',
    ).get(agent_id) as { thumbprint: string; key_since: string | null };
    if (thumbprint === next.thumbprint) return { kind: 'same' };
    const standing = keyStanding(database, agent_id, from);
    if (standing.kind === 'unknown') return { kind: 'retired', replaced_at: null };
    if (standing.kind === 'former' && standing.grace_until !== null) {
      return { kind: 'retired', replaced_at: standing.replaced_at };
    }
    const since = Date.parse(key_since ?? '1970-01-01');
    if (at.getTime() - since < everyMs && at.getTime() >= since) return { kind: 'too_soon' };
    const find =
      'SELECT 1 FROM agents WHERE thumbprint = :key UNION SELECT 1 FROM former_keys WHERE thumbprint = :key';
    if (prepare(find).get({ key: next.thumbprint }) !== undefined) return { kind: 'taken' };
    return { kind: 'changed' };
  };

  const change = ({ agent_id, from, next, keep }: KeyRotation, at: Date): void => {
    const time = at.toISOString();
    // A key that was put in place and never used was lost with an answer: whoever still has the one before replaces it.
    prepare(
      `INSERT INTO former_keys (thumbprint, agent_id, device_jwk, replaced_at, grace_until)
         SELECT thumbprint, agent_id, device_jwk, :time, iif(thumbprint = :from, NULL, :time) FROM agents WHERE agent_id = :agent`,
    ).run({ agent: agent_id, from, time });
    prepare(
      'UPDATE agents SET thumbprint = ?, device_jwk = ?, key_since = ?, rotation_asked_at = NULL WHERE agent_id = ?',
    ).run(next.thumbprint, JSON.stringify(next.jwk), time, agent_id);
    prepare(
      `DELETE FROM former_keys WHERE agent_id = :agent AND thumbprint NOT IN (SELECT thumbprint FROM former_keys
         WHERE agent_id = :agent ORDER BY grace_until IS NOT NULL, replaced_at DESC LIMIT :keep)`,
    ).run({ agent: agent_id, keep });
  };

  return {
    former: async (agentId, limit) =>
      (
        prepare(
          `SELECT thumbprint, device_jwk, replaced_at, grace_until, refused_uses, last_refused_at, last_refused_from
             FROM former_keys WHERE agent_id = ? ORDER BY replaced_at DESC, rowid DESC LIMIT ?`,
        ).all(agentId, limit) as unknown as (Omit<FormerKey, 'jwk'> & { device_jwk: string })[]
      ).map(({ device_jwk, ...row }) => ({ ...row, jwk: JSON.parse(device_jwk) as PublicJwk })),
    standing: async (agentId, thumbprint) => keyStanding(database, agentId, thumbprint),
    isAnyOpen: async (agentId) =>
      prepare('SELECT 1 FROM former_keys WHERE agent_id = ? AND grace_until IS NULL').get(agentId) !==
      undefined,
    rotate: (rotation, at, told) =>
      write(() => {
        const outcome = expectedToChange(rotation, at);
        if (outcome.kind !== 'changed') return outcome;
        change(rotation, at);
        insertAudit(database, told, at);
        return outcome;
      }),
    endGrace: (agentId, thumbprint, until) =>
      write(() => {
        if (keyStanding(database, agentId, thumbprint).kind !== 'in_force') return;
        const end = 'UPDATE former_keys SET grace_until = ? WHERE agent_id = ? AND grace_until IS NULL';
        prepare(end).run(until.toISOString(), agentId);
      }),
    refused: (thumbprint, address, at, quietSince) =>
      write(() => {
        const before = prepare('SELECT last_refused_at FROM former_keys WHERE thumbprint = ?').get(
          thumbprint,
        ) as { last_refused_at: string | null } | undefined;
        prepare(
          `UPDATE former_keys SET refused_uses = refused_uses + 1, last_refused_at = ?, last_refused_from = ?
           WHERE thumbprint = ?`,
        ).run(at.toISOString(), address, thumbprint);
        return before?.last_refused_at == null || before.last_refused_at < quietSince.toISOString();
      }),
  };
}

/** For the works of other stores. */
export function keyStanding(
  { prepare }: Pick<ConsoleDatabase, 'prepare'>,
  agentId: string,
  thumbprint: string,
): KeyStanding {
  const inForce = 'SELECT 1 FROM agents WHERE agent_id = ? AND thumbprint = ?';
  if (prepare(inForce).get(agentId, thumbprint) !== undefined) return { kind: 'in_force' };
  const find = 'SELECT replaced_at, grace_until FROM former_keys WHERE agent_id = ? AND thumbprint = ?';
  const row = prepare(find).get(agentId, thumbprint) as
    | Pick<FormerKey, 'replaced_at' | 'grace_until'>
    | undefined;
  return row === undefined ? { kind: 'unknown' } : { kind: 'former', ...row };
}

/** For the works of other stores: the key was somebody's, before another took its place. */
export function wasReplaced({ prepare }: Pick<ConsoleDatabase, 'prepare'>, thumbprint: string): boolean {
  return prepare('SELECT 1 FROM former_keys WHERE thumbprint = ?').get(thumbprint) !== undefined;
}
