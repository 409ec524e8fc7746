import type { PublicJwk } from '../../../schemas/jws.ts';
import type { AuditEntry } from './audit.ts';

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

/** How a key stands with its agent. */
export type KeyStanding =
  | { readonly kind: 'in_force' }
  | ({ readonly kind: 'former' } & Pick<FormerKey, 'replaced_at' | 'grace_until'>)
  | { readonly kind: 'unknown' };

export interface KeyRotation {
  readonly agent_id: string;
  /** Thumbprint of the key that signed. */
  readonly from: string;
  readonly next: { readonly jwk: PublicJwk; readonly thumbprint: string };
  /** A key stays for so long at least. */
  readonly everyMs: number;
  /** Former keys that are kept. */
  readonly keep: number;
}

export type KeyRotated =
  | { readonly kind: 'changed' }
  /** It was in force already. */
  | { readonly kind: 'same' }
  /** The one that signed may decide nothing any more. */
  | { readonly kind: 'retired'; readonly replaced_at: string | null }
  | { readonly kind: 'too_soon' }
  /** The next one is, or was, somebody's. */
  | { readonly kind: 'taken' };

/** The keys agents have and had. */
export interface DeviceKeyRows {
  /** Newest first. */
  former(agentId: string, limit: number): Promise<FormerKey[]>;
  standing(agentId: string, thumbprint: string): Promise<KeyStanding>;
  /** Whether the agent has a former key whose grace has no end yet. */
  isAnyOpen(agentId: string): Promise<boolean>;
  /** Looks and changes in one step; told of when it changed. */
  rotate(rotation: KeyRotation, at: Date, told: AuditEntry): Promise<KeyRotated>;
  /** If `thumbprint` is the one in force still: the grace of those before it that has no end yet ends then. */
  endGrace(agentId: string, thumbprint: string, until: Date): Promise<void>;
  /** A retired key was used; true when this was not written down since `quietSince`. */
  refused(thumbprint: string, address: string, at: Date, quietSince: Date): Promise<boolean>;
}
