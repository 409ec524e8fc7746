import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Agent } from './agents.ts';
import { signEnrolmentToken } from './enrolment-token.ts';
import type { StoredEvent } from './event-history.ts';
import type { RunRow } from './reports.ts';
import type { ConsoleState } from './state.ts';
import { type Tenant, type TenantArtifacts, TenantFault } from './tenants.ts';

const TOKEN_TTL_MS = 60 * 60_000;
const TOKEN_TTL_MAX_MS = 30 * 24 * 60 * 60_000;

export interface AddedTenant {
  readonly slug: string;
  readonly gitUrl: string;
  readonly artifactsUrl: string;
  /** Shown here and nowhere else: only its hash is kept. */
  readonly publisherToken: string;
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
  newPublisherToken(slug: string): string;
  /** A JWT for one device; good for an hour unless `ttlMs` says otherwise, 30 days at most. */
  makeEnrolmentToken(draft: { slug: string; ttlMs?: number }): Promise<string>;
  /** A new secret for the tenant's webhook; the one before is void. Shown here and nowhere else. */
  newHookSecret(slug: string): { readonly url: string; readonly secret: string };
  newApiKey(label: string): string;
  revokeAgent(agentId: string): boolean;
  tenants(): Tenant[];
  agents(tenant?: string): Agent[];
  /** The newest first. */
  runs(filter?: { agent?: string; tenant?: string; limit?: number }): RunRow[];
  /** The notify body as it was sent; undefined when there is none. */
  run(runId: string): unknown;
  /** The last ones, in order of arrival. */
  events(filter?: { agent?: string; tenant?: string; limit?: number }): StoredEvent[];
  /** The newest status document the agent has sent. */
  status(agentId: string): { readonly received_at: string; readonly status: unknown } | null;
  /** Whether agents are asked for the files their runs leave, where they consent; true at first. */
  setOutputsWanted(slug: string, wanted: boolean): void;
  /** Where the tenant's bare repository and its artifacts lie on disk. */
  paths(slug: string): { readonly repository: string; readonly artifacts: string };
}

/** `onRevoked` hears of it at once; a console in another process finds out within a second. */
export function createAdmin(
  state: ConsoleState,
  onRevoked: (agentId: string) => void = () => {},
): ConsoleAdmin {
  const known = (slug: string): Tenant => {
    const tenant = state.tenants.get(slug);
    if (tenant !== null) return tenant;
    throw new TenantFault(
      `expected a tenant, found no "${slug}"; add it first: tenant add ${slug} --root <file>`,
    );
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
    newPublisherToken: (slug) => state.tenants.newPublisherToken(slug),
    async makeEnrolmentToken({ slug, ttlMs = TOKEN_TTL_MS }) {
      const tenant = known(slug);
      if (!(ttlMs >= 1_000 && ttlMs <= TOKEN_TTL_MAX_MS)) {
        throw new TenantFault(`expected a token to be good for 1s to 30d, found ${ttlMs} ms`);
      }
      return signEnrolmentToken(
        {
          tenant: slug,
          saas_url: state.publicUrl(),
          root_sha256: tenant.rootSha256,
          exp: Math.ceil((state.clock.now().getTime() + ttlMs) / 1_000),
          jti: state.newId(),
        },
        state.secrets.enrolmentKey,
      );
    },
    newHookSecret(slug) {
      known(slug);
      return { url: `${state.publicUrl()}/hooks/${slug}`, secret: state.hooks.renew(slug) };
    },
    newApiKey: (label) => state.apiKeys.create(label),
    setOutputsWanted: (slug, wanted) => state.uploads.setOutputsWanted(known(slug).slug, wanted),
    revokeAgent(agentId) {
      const known = state.agents.revoke(agentId, state.clock.now());
      if (known) onRevoked(agentId);
      return known;
    },
    tenants: () => state.tenants.list(),
    agents: (tenant) => state.agents.list(tenant),
    runs: ({ limit = 100, ...filter } = {}) => state.reports.runs({ ...filter, limit }),
    run(runId) {
      const found = state.reports.run(runId, {});
      return found.kind === 'report' ? found.body : undefined;
    },
    events: ({ limit = 100, ...filter } = {}) => state.events.tail({ ...filter, limit }),
    status: (agentId) => state.reports.status(agentId),
    paths: (slug) => ({
      repository: state.repositories.directory(slug),
      artifacts: join(state.artifacts, slug),
    }),
  };
}
