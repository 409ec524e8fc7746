import { z } from 'zod';
import { Id, Slug, Timestamp } from '../names.ts';
import { before, limit, oneOf, search, TenantQuery } from './page.ts';

export const TokenState = z.enum(['open', 'used', 'expired', 'revoked']);
export const TokenRow = z.object({
  token_id: z.string(),
  tenant: Slug,
  made_at: Timestamp,
  /** Who made it; null for those of before. */
  made_by: z.string().nullable(),
  expires_at: Timestamp,
  state: TokenState,
  agent_id: Id.nullable(),
  hostname: z.string().nullable(),
});
export type TokenRow = z.infer<typeof TokenRow>;
export const TokensQuery = TenantQuery.extend({ state: oneOf(TokenState), limit });
export const TokensAnswer = z.object({ tokens: z.array(TokenRow) });
export type TokensAnswer = z.infer<typeof TokensAnswer>;

/** `POST /api/tokens` */
export const TokenRequest = z.strictObject({
  tenant: Slug,
  /** Such as `1h`; 30 days at most. */
  expires: z.string().max(16).default('1h'),
});
/** The only time the token is shown. `line`: what to paste on the machine, one for each kind of shell. */
export const TokenMade = z.object({
  token_id: z.string(),
  token: z.string(),
  expires_at: Timestamp,
  line: z.object({ posix: z.string(), powershell: z.string() }),
});
export type TokenMade = z.infer<typeof TokenMade>;

export const AuditQuery = TenantQuery.extend({
  q: search,
  agent: Id.optional(),
  action: oneOf(z.string().max(64)),
  by: z.string().max(200).optional(),
  since: Timestamp.optional(),
  until: Timestamp.optional(),
  before,
  limit,
});
export const AuditEntry = z.object({
  id: z.int(),
  at: Timestamp,
  tenant: Slug.nullable(),
  agent_id: Id.nullable(),
  hostname: z.string().nullable(),
  action: z.string(),
  /** `person:<login>`, `key:<label>`, `agent`, `console`, or the name a person gave. */
  by: z.string(),
  message: z.string(),
  /** Why, in the words of whoever did it. */
  reason: z.string().nullable(),
});
export type AuditEntry = z.infer<typeof AuditEntry>;
export const AuditAnswer = z.object({ entries: z.array(AuditEntry), next_before: z.int().nullable() });
export type AuditAnswer = z.infer<typeof AuditAnswer>;

export const TenantRow = z.object({
  slug: Slug,
  branch: z.string(),
  git_url: z.string(),
  root_sha256: z.string(),
  created_at: Timestamp,
  agents: z.int(),
  /** Whether the console holds a trigger key, and which (its thumbprint): without one only reconcile and revoke can be asked for. */
  trigger_key: z.object({ kid: z.string(), added_at: Timestamp, added_by: z.string() }).nullable(),
});
export type TenantRow = z.infer<typeof TenantRow>;
export const TenantsAnswer = z.object({ tenants: z.array(TenantRow) });
export type TenantsAnswer = z.infer<typeof TenantsAnswer>;
