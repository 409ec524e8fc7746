import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Grant } from '../schemas/console/people.ts';
import { signEnrolmentToken } from './enrolment-token.ts';
import type { ConflictRecord } from './identity-watch.ts';
import { type Actor, PROGRAM } from './people/actor.ts';
import type { ApiKeys } from './people/api-keys.ts';
import type { People } from './people/people.ts';
import type { ConsoleState } from './state.ts';
import type { Agent, Revocation } from './store/ports/agents.ts';
import type { AuditRow } from './store/ports/audit.ts';
import type { StoredEvent } from './store/ports/event-rows.ts';
import type { RunRow } from './store/ports/reports.ts';
import type { TenantScope } from './store/ports/tenant-scope.ts';
import type { Tenant, TenantArtifacts } from './store/ports/tenants.ts';
import type { TokenRecord } from './store/ports/token-records.ts';
import { TenantFault } from './tenants.ts';

const TOKEN_TTL_MS = 60 * 60_000;
const LISTED_MAX = 1_000;
const TOKEN_TTL_MAX_MS = 30 * 24 * 60 * 60_000;

export interface AddedTenant {
  readonly slug: string;
  readonly gitUrl: string;
  readonly artifactsUrl: string;
  /** Shown here and nowhere else: only its hash is kept. */
  readonly publisherToken: string;
}

export interface MintedToken {
  /** Shown here and nowhere else. */
  readonly token: string;
  readonly token_id: string;
  readonly expires_at: string;
}

/** What the operator may do, from inside the process (demo, tests) or through the command. Throws `TenantFault` for what cannot be. */
export interface ConsoleAdmin {
  /** `artifactAllow`: prefixes beside the console's own folder. `rootDocument`: the exact text of `<n>.root.jws.json`. */
  addTenant(draft: {
    slug: string;
    rootDocument: string;
    artifactAllow?: readonly string[];
    artifacts?: z.input<typeof TenantArtifacts>;
  }): Promise<AddedTenant>;
  setRoot(slug: string, rootDocument: string): Promise<void>;
  newPublisherToken(slug: string): Promise<string>;
  /** A JWT for one device; good for an hour unless `ttlMs` says otherwise, 30 days at most. */
  makeEnrolmentToken(draft: { slug: string; ttlMs?: number }): Promise<string>;
  /** The same, with what is kept of it. */
  mintToken(draft: { slug: string; ttlMs: number; actor: Actor }): Promise<MintedToken>;
  /** A new secret for the tenant's webhook; the one before is void. Shown here and nowhere else. */
  newHookSecret(slug: string): Promise<{ readonly url: string; readonly secret: string }>;
  /** An admin's of everything, unless it is said otherwise. The key is shown here and nowhere else. */
  newApiKey(label: string, may?: { grants?: readonly Grant[]; expiresAt?: Date | null }): Promise<string>;
  /** Keys of the API, and people. Who asks is said with each of them. */
  readonly apiKeys: ApiKeys;
  readonly people: People;
  /** False when there is no such agent. What waits for it is dropped, and its connection ended. */
  revokeAgent(agentId: string, revocation?: Revocation, actor?: Actor): Promise<boolean>;
  /** Asks the agent to change its device key, with its next status. False when there is no such agent, or it was revoked. */
  askRotation(agentId: string, actor?: Actor, reason?: string | null): Promise<boolean>;
  /** Whether two machines speak, or spoke, with its identity. */
  conflict(agentId: string): Promise<ConflictRecord | null>;
  /** Newest first. */
  tokens(tenant?: string): Promise<TokenRecord[]>;
  /** Null when there is no such token. */
  revokeToken(tokenId: string, actor?: Actor): Promise<TokenRecord | null>;
  /** Newest first. */
  audit(filter?: { agent?: string; tenant?: string; limit?: number }): Promise<AuditRow[]>;
  tenants(): Promise<Tenant[]>;
  agents(tenant?: string): Promise<Agent[]>;
  /** The newest first. */
  runs(filter?: { agent?: string; tenant?: string; limit?: number }): Promise<RunRow[]>;
  /** The notify body as it was sent; undefined when there is none. */
  run(runId: string): Promise<unknown>;
  /** The last ones, in order of arrival. */
  events(filter?: { agent?: string; tenant?: string; limit?: number }): Promise<StoredEvent[]>;
  /** The newest status document the agent has sent. */
  status(agentId: string): Promise<{ readonly received_at: string; readonly status: unknown } | null>;
  /** Whether agents are asked for the files their runs leave, where they consent; true at first. */
  setOutputsWanted(slug: string, wanted: boolean): Promise<void>;
  /** Where the tenant's bare repository and its artifacts lie on disk. */
  paths(slug: string): { readonly repository: string; readonly artifacts: string };
}

/** `onRevoked` hears of it at once; a console in another process finds out within a second. */
export function createAdmin(
  state: ConsoleState,
  onRevoked: (agentId: string) => void = () => {},
): ConsoleAdmin {
  const scope = (tenant: string | undefined): { tenants: TenantScope } => ({
    tenants: tenant === undefined ? '*' : [tenant],
  });
  const known = async (slug: string): Promise<Tenant> => {
    const tenant = await state.tenants.get(slug);
    if (tenant !== null) return tenant;
    throw new TenantFault(
      `expected a tenant, found no "${slug}"; add it first: tenant add ${slug} --root <file>`,
    );
  };
  const mintToken: ConsoleAdmin['mintToken'] = async ({ slug, ttlMs, actor }) => {
    const tenant = await known(slug);
    if (!(ttlMs >= 1_000 && ttlMs <= TOKEN_TTL_MAX_MS)) {
      throw new TenantFault(`expected a token to be good for 1s to 30d, found ${ttlMs / 86_400_000} days`);
    }
    const at = state.clock.now();
    const claims = {
      tenant: slug,
      saas_url: state.publicUrl(),
      root_sha256: tenant.rootSha256,
      exp: Math.ceil((at.getTime() + ttlMs) / 1_000),
      jti: state.newId(),
    };
    const token = await signEnrolmentToken(claims, state.secrets.enrolmentKey);
    const expires_at = new Date(claims.exp * 1_000).toISOString();
    const message = `an enrolment token was made, ${claims.jti}, good until ${expires_at}`;
    const told = {
      action: 'token_made',
      tenant: slug,
      agent_id: null,
      by: actor.by,
      actor_id: actor.id,
      message,
    } as const;
    await state.tokens.made(claims, at, told);
    return { token, token_id: claims.jti, expires_at };
  };
  return {
    async addTenant({ slug, rootDocument, artifactAllow = [], artifacts = {} }) {
      const offer = { ...artifacts, allow: [...(artifacts.allow ?? []), ...artifactAllow] };
      const publisherToken = await state.tenants.add({ slug, rootDocument, artifacts: offer });
      await state.repositories.create(slug, AbortSignal.timeout(30_000));
      await mkdir(join(state.artifacts, slug), { recursive: true, mode: 0o700 });
      return {
        slug,
        gitUrl: `${state.publicUrl()}/git/${slug}.git`,
        artifactsUrl: `${state.publicUrl()}/artifacts/${slug}/`,
        publisherToken,
      };
    },
    setRoot: (slug, rootDocument) => state.tenants.setRoot(slug, rootDocument),
    newPublisherToken: async (slug) => state.tenants.newPublisherToken(slug),
    makeEnrolmentToken: async ({ slug, ttlMs = TOKEN_TTL_MS }) =>
      (await mintToken({ slug, ttlMs, actor: PROGRAM })).token,
    mintToken,
    async newHookSecret(slug) {
      await known(slug);
      return { url: `${state.publicUrl()}/hooks/${slug}`, secret: await state.hooks.renew(slug) };
    },
    apiKeys: state.apiKeys,
    people: state.people,
    async newApiKey(label, { grants = PROGRAM.grants, expiresAt = null } = {}) {
      const expires_at = expiresAt?.toISOString() ?? null;
      return (await state.apiKeys.make({ label, grants, expires_at }, PROGRAM)).secret;
    },
    setOutputsWanted: async (slug, wanted) =>
      state.uploads.setOutputsWanted((await known(slug)).slug, wanted),
    async revokeAgent(agentId, revocation = { by: 'operator', why: null }, actor = PROGRAM) {
      const at = state.clock.now();
      const { by, why } = revocation;
      // At the console's own shell people are who they say they are.
      const told = actor.kind === 'program' ? by : actor.by;
      const named = told === by ? '' : `, in the name of ${by}`;
      const left = by === 'agent';
      const reason = why === null || why === '' ? '' : ` (${why})`;
      const outcome = await state.agents.revoke(agentId, at, revocation, ({ tenant, dropped }) => ({
        action: left ? 'agent_unenrolled' : 'agent_revoked',
        tenant,
        agent_id: agentId,
        by: told,
        actor_id: actor.id,
        message: `${left ? 'it unenrolled itself' : 'its key and its tokens are void'}${named}${reason}; ${dropped} commands that waited for it were dropped`,
        reason: why,
      }));
      if (outcome === 'unknown') return false;
      onRevoked(agentId);
      return true;
    },
    askRotation: async (agentId, actor = PROGRAM, reason = null) =>
      state.agents.askRotation(agentId, state.clock.now(), ({ tenant }) => ({
        action: 'key_rotation_asked',
        tenant,
        agent_id: agentId,
        by: actor.by,
        actor_id: actor.id,
        message: 'it is to change its device key, when it sends its next status',
        reason,
      })),
    conflict: (agentId) => state.identities.conflict(agentId),
    tokens: async (tenant) => state.tokens.list({ ...scope(tenant), limit: LISTED_MAX }),
    revokeToken: async (tokenId, actor = PROGRAM) =>
      state.tokens.revoke(tokenId, state.clock.now(), ({ tenant, agent_id }) => ({
        action: 'token_revoked',
        tenant,
        agent_id,
        by: actor.by,
        actor_id: actor.id,
        message: `the enrolment token ${tokenId} is void`,
      })),
    audit: ({ agent, tenant, limit = 100 } = {}) => state.audit.list({ agent, ...scope(tenant), limit }),
    tenants: async () => state.tenants.list(),
    agents: async (tenant) => state.agents.list(tenant === undefined ? '*' : [tenant]),
    runs: ({ limit = 100, tenant, ...filter } = {}) =>
      state.reports.runs({ ...filter, ...scope(tenant), limit }),
    async run(runId) {
      const found = await state.reports.run(runId, {});
      return found.kind === 'report' ? found.body : undefined;
    },
    events: async ({ limit = 100, tenant, ...filter } = {}) =>
      state.events.tail({ ...filter, ...scope(tenant), limit }),
    status: (agentId) => state.reports.status(agentId),
    paths: (slug) => ({
      repository: state.repositories.directory(slug),
      artifacts: join(state.artifacts, slug),
    }),
  };
}
