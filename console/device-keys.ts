import type { PublicJwk } from '../schemas/jws.ts';
import { RequestRefused } from './refusal.ts';
import type { Agent } from './store/ports/agents.ts';
import type { AuditEntry } from './store/ports/audit.ts';
import { insertAudit } from './store/sqlite/audit.ts';
import type { ConsoleDatabase } from './store/sqlite/database.ts';

/** Former keys that are told from rubbish; older ones are as unknown as any other. */
const FORMER_KEYS_MAX = 8;
const ROTATION_EVERY_MS = 60_000;

/**
 * A key an agent had. It speaks on until `grace_until`; null: as long as the key that follows it has not been used, because the
 * answer that put that one in force may have been lost, however long ago.
 */
export interface FormerKey {
  readonly thumbprint: string;
  readonly jwk: PublicJwk;
  readonly replaced_at: string;
  readonly grace_until: string | null;
  readonly refused_uses: number;
  readonly last_refused_at: string | null;
  readonly last_refused_from: string | null;
}

export interface DeviceKeys {
  /** Newest first. */
  former(agentId: string): Promise<FormerKey[]>;
  /**
   * Throws 401 when the key that followed this one has spoken: in its grace a key delivers what was on its way, and decides nothing
   * of the agent any more.
   */
  expectToDecide(agentId: string, thumbprint: string): Promise<void>;
  /**
   * Puts `next` in the place of the key that signed (`from`). The same again changes nothing. Throws 409 when the key is, or
   * was, somebody's, and as `expectToDecide`. `changed` is false, and nothing is told, when `next` was in force already.
   */
  rotate(
    agent: Agent,
    from: string,
    next: { jwk: PublicJwk; thumbprint: string },
    at: Date,
    told: AuditEntry,
  ): Promise<{ changed: boolean }>;
  /**
   * A key has spoken. If it is the one in force, those before it are retired, once what was on its way has arrived; a call of
   * the key before that the change overtook says nothing of the new one.
   */
  confirmed(agentId: string, thumbprint: string, at: Date, overlapMs: number): Promise<void>;
  /** A retired key was used; true when this was not written down within the last hour. */
  refused(thumbprint: string, address: string, at: Date): Promise<boolean>;
}

/** A former key may speak no more. */
export function isRetired({ grace_until: until }: Pick<FormerKey, 'grace_until'>, at: Date): boolean {
  return until !== null && until <= at.toISOString();
}

/** 401: the agent has another key by now. */
export function retiredKeyRefusal(
  agentId: string,
  replacedAt: string,
  headers: Readonly<Record<string, string>> = {},
): RequestRefused {
  const message = `expected the device key of ${agentId} that is in force, found one that was replaced at ${replacedAt}: this is a copy of its machine, or one restored from a backup; run edge-agent unenroll, then enrol it with a new token`;
  return new RequestRefused(401, 'key_retired', message, headers);
}

export function createDeviceKeys(database: ConsoleDatabase): DeviceKeys {
  const { prepare } = database;
  /** Agents known to have no key in its grace: asked at every call. */
  const settled = new Set<string>();
  const thumbprintOf = (agentId: string) => thumbprintInForce(database, agentId);
  const isAnyOpen = (agentId: string) =>
    prepare('SELECT 1 FROM former_keys WHERE agent_id = ? AND grace_until IS NULL').get(agentId) !==
    undefined;
  const expectToDecide = (agentId: string, thumbprint: string) => {
    if (thumbprintOf(agentId) === thumbprint) return;
    const former = formerKey(database, agentId, thumbprint);
    if (former === undefined || former.grace_until !== null)
      throw retiredKeyRefusal(agentId, former?.replaced_at ?? 'an earlier time');
  };

  return {
    expectToDecide: async (agentId, thumbprint) => expectToDecide(agentId, thumbprint),
    former: async (agentId) =>
      (
        prepare(
          `SELECT thumbprint, device_jwk, replaced_at, grace_until, refused_uses, last_refused_at, last_refused_from
             FROM former_keys WHERE agent_id = ? ORDER BY replaced_at DESC, rowid DESC LIMIT ?`,
        ).all(agentId, FORMER_KEYS_MAX) as unknown as (Omit<FormerKey, 'jwk'> & { device_jwk: string })[]
      ).map(({ device_jwk, ...row }) => ({ ...row, jwk: JSON.parse(device_jwk) as PublicJwk })),
    rotate: ({ agent_id }, from, next, at, told) =>
      database.write(() => {
        const current = prepare(
          'SELECT thumbprint, device_jwk, key_since FROM agents WHERE agent_id = ?',
        ).get(agent_id) as { thumbprint: string; device_jwk: string; key_since: string | null };
        if (current.thumbprint === next.thumbprint) return { changed: false };
        expectToDecide(agent_id, from);
        const since = Date.parse(current.key_since ?? '1970-01-01');
        if (at.getTime() - since < ROTATION_EVERY_MS && at.getTime() >= since) {
          const message = 'expected a device key to be kept for a minute at least; try again in a minute';
          throw new RequestRefused(429, 'rate_limited', message, { 'retry-after': '60' });
        }
        const taken =
          prepare(
            'SELECT 1 FROM agents WHERE thumbprint = :key UNION SELECT 1 FROM former_keys WHERE thumbprint = :key',
          ).get({ key: next.thumbprint }) !== undefined;
        if (taken) {
          const message =
            'expected a device key that nobody has had before, found one that is in use or was retired; make another one';
          throw new RequestRefused(409, 'key_in_use', message);
        }
        settled.delete(agent_id);
        // A key that was put in place and never used was lost with an answer: whoever still has the one before replaces it.
        const keep = prepare(
          'INSERT INTO former_keys (thumbprint, agent_id, device_jwk, replaced_at, grace_until) VALUES (?, ?, ?, ?, ?)',
        );
        const time = at.toISOString();
        const until = current.thumbprint === from ? null : time;
        keep.run(current.thumbprint, agent_id, current.device_jwk, time, until);
        prepare(
          'UPDATE agents SET thumbprint = ?, device_jwk = ?, key_since = ?, rotation_asked_at = NULL WHERE agent_id = ?',
        ).run(next.thumbprint, JSON.stringify(next.jwk), at.toISOString(), agent_id);
        prepare(
          `DELETE FROM former_keys WHERE agent_id = :agent AND thumbprint NOT IN (SELECT thumbprint FROM former_keys
               WHERE agent_id = :agent ORDER BY grace_until IS NOT NULL, replaced_at DESC LIMIT :keep)`,
        ).run({ agent: agent_id, keep: FORMER_KEYS_MAX });
        insertAudit(database, told, at);
        return { changed: true };
      }),
    async confirmed(agentId, thumbprint, at, overlapMs) {
      if (settled.has(agentId) || thumbprintOf(agentId) !== thumbprint) return;
      if (!isAnyOpen(agentId)) {
        settled.add(agentId);
        return;
      }
      await database.write(() => {
        // It may have been followed by another since this was asked for.
        if (thumbprintOf(agentId) !== thumbprint) return;
        prepare('UPDATE former_keys SET grace_until = ? WHERE agent_id = ? AND grace_until IS NULL').run(
          new Date(at.getTime() + overlapMs).toISOString(),
          agentId,
        );
      });
    },
    refused: (thumbprint, address, at) =>
      database.write(() => {
        const before = prepare('SELECT last_refused_at FROM former_keys WHERE thumbprint = ?').get(
          thumbprint,
        ) as { last_refused_at: string | null } | undefined;
        const hourAgo = new Date(at.getTime() - 60 * 60_000).toISOString();
        prepare(
          `UPDATE former_keys SET refused_uses = refused_uses + 1, last_refused_at = ?, last_refused_from = ?
           WHERE thumbprint = ?`,
        ).run(at.toISOString(), address, thumbprint);
        return before?.last_refused_at == null || before.last_refused_at < hourAgo;
      }),
  };
}

function thumbprintInForce(
  { prepare }: Pick<ConsoleDatabase, 'prepare'>,
  agentId: string,
): string | undefined {
  const row = prepare('SELECT thumbprint FROM agents WHERE agent_id = ?').get(agentId) as
    | { thumbprint: string }
    | undefined;
  return row?.thumbprint;
}

function formerKey({ prepare }: Pick<ConsoleDatabase, 'prepare'>, agentId: string, thumbprint: string) {
  const find = 'SELECT replaced_at, grace_until FROM former_keys WHERE agent_id = ? AND thumbprint = ?';
  return prepare(find).get(agentId, thumbprint) as Pick<FormerKey, 'replaced_at' | 'grace_until'> | undefined;
}

/** For the works of other stores: whether the key speaks for the agent, in force or before it and in its grace. */
export function keySpeaks(
  database: Pick<ConsoleDatabase, 'prepare'>,
  agentId: string,
  thumbprint: string,
  at: Date,
): boolean {
  if (thumbprintInForce(database, agentId) === thumbprint) return true;
  const former = formerKey(database, agentId, thumbprint);
  return former !== undefined && !isRetired(former, at);
}

/** For the works of other stores: the key was somebody's, before another took its place. */
export function wasReplaced({ prepare }: Pick<ConsoleDatabase, 'prepare'>, thumbprint: string): boolean {
  return prepare('SELECT 1 FROM former_keys WHERE thumbprint = ?').get(thumbprint) !== undefined;
}
