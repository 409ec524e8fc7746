import type { PublicJwk } from '../schemas/jws.ts';
import { RequestRefused } from './refusal.ts';
import type { Agent } from './store/ports/agents.ts';
import type { AuditEntry } from './store/ports/audit.ts';
import type { DeviceKeyRows, FormerKey } from './store/ports/device-keys.ts';

/** Former keys that are told from rubbish; older ones are as unknown as any other. */
const FORMER_KEYS_MAX = 8;
const ROTATION_EVERY_MS = 60_000;

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

export function createDeviceKeys(rows: DeviceKeyRows): DeviceKeys {
  /** The key in force of agents known to have none in its grace: asked at every call. */
  const settled = new Map<string, string>();

  return {
    former: async (agentId) => rows.former(agentId, FORMER_KEYS_MAX),
    async expectToDecide(agentId, thumbprint) {
      const standing = await rows.standing(agentId, thumbprint);
      if (standing.kind === 'in_force') return;
      if (standing.kind === 'former' && standing.grace_until === null) return;
      throw retiredKeyRefusal(agentId, standing.kind === 'former' ? standing.replaced_at : AN_EARLIER_TIME);
    },
    async rotate({ agent_id }, from, next, at, told) {
      const rotation = { agent_id, from, next, everyMs: ROTATION_EVERY_MS, keep: FORMER_KEYS_MAX };
      const outcome = await rows.rotate(rotation, at, told);
      switch (outcome.kind) {
        case 'changed':
          return { changed: true };
        case 'same':
          return { changed: false };
        case 'retired':
          throw retiredKeyRefusal(agent_id, outcome.replaced_at ?? AN_EARLIER_TIME);
        case 'too_soon': {
          const message = 'expected a device key to be kept for a minute at least; try again in a minute';
          throw new RequestRefused(429, 'rate_limited', message, { 'retry-after': '60' });
        }
        case 'taken': {
          const message =
            'expected a device key that nobody has had before, found one that is in use or was retired; make another one';
          throw new RequestRefused(409, 'key_in_use', message);
        }
      }
    },
    async confirmed(agentId, thumbprint, at, overlapMs) {
      if (settled.get(agentId) === thumbprint) return;
      if ((await rows.standing(agentId, thumbprint)).kind !== 'in_force') return;
      if (await rows.isAnyOpen(agentId)) {
        await rows.endGrace(agentId, thumbprint, new Date(at.getTime() + overlapMs));
      } else {
        settled.set(agentId, thumbprint);
      }
    },
    refused: async (thumbprint, address, at) =>
      rows.refused(thumbprint, address, at, new Date(at.getTime() - 60 * 60_000)),
  };
}

const AN_EARLIER_TIME = 'an earlier time';
