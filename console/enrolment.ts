import type { EnrolAnswer, EnrolmentToken, EnrolRequest } from '../schemas/enrolment.ts';
import { isRetired } from './device-keys.ts';
import { RequestRefused } from './refusal.ts';
import type { ConsoleSecrets } from './secrets.ts';
import type { Agent } from './store/ports/agents.ts';
import type { KeyStanding } from './store/ports/device-keys.ts';
import type { EnrolmentFacts, EnrolmentRows, EnrolmentStep, KeptAnswer } from './store/ports/enrolments.ts';
import { TUNNEL_PATH, webSocketOrigin } from './tunnel/address.ts';

export interface Enrolment {
  /**
   * Takes a device into its tenant. Token and proof of possession have been verified. The same token and key get the same
   * answer, word for word, until the token expires; another key under the same token is refused (409).
   */
  enrol(token: EnrolmentToken, request: EnrolRequest, thumbprint: string, at: Date): Promise<EnrolAnswer>;
  /** Forgets answers whose token has expired. */
  prune(now: Date): Promise<number>;
}

type Answered = EnrolmentStep & { readonly answer: KeptAnswer };

export function createEnrolment(parts: {
  readonly rows: EnrolmentRows;
  readonly secrets: ConsoleSecrets;
  readonly newId: () => string;
  /** Origin the agents call. */
  readonly publicUrl: () => string;
}): Enrolment {
  const { rows, secrets } = parts;

  const answerOf = ({ tenant, root }: EnrolmentFacts, slug: string, agentId: string): KeptAnswer => {
    if (tenant === null || root === null) {
      throw new RequestRefused(
        403,
        'tenant_unknown',
        `expected a token for a tenant of this console, found tenant "${slug}" or its root gone; ask for a new token`,
      );
    }
    const { allow, endpoint, access_key, secret_key } = tenant.artifacts;
    const url = parts.publicUrl();
    return {
      agent_id: agentId,
      tenant: tenant.slug,
      git: { url: `${url}/git/${tenant.slug}.git` },
      root,
      tunnel_url: `${webSocketOrigin(url)}${TUNNEL_PATH}`,
      artifacts: { allow: [`${url}/artifacts/${tenant.slug}/`, ...allow], endpoint, access_key, secret_key },
    };
  };

  const first = (
    facts: EnrolmentFacts,
    token: EnrolmentToken,
    request: EnrolRequest,
    device: { readonly thumbprint: string; readonly at: Date },
  ): Answered => {
    const { holder } = facts;
    if (holder !== null && holder.tenant !== token.tenant) {
      throw new RequestRefused(
        409,
        'key_in_use',
        'expected a device key of its own for every tenant, found one that is enrolled with another; make a new device key',
      );
    }
    if (holder?.revoked_at != null) throw revokedRefusal(holder);
    if (holder === null && facts.wasReplaced) throw replacedKey();
    const agent_id = holder?.agent_id ?? parts.newId();
    const { device_jwk, hostname, os, arch, agent_version } = request;
    const again = holder === null ? '' : ' again';
    return {
      kind: 'first',
      agent: {
        agent_id,
        tenant: token.tenant,
        thumbprint: device.thumbprint,
        device_jwk,
        hostname,
        os,
        arch,
        agent_version,
        enrolled_at: device.at.toISOString(),
      },
      gitToken: secrets.gitToken(agent_id, token.jti),
      answer: answerOf(facts, token.tenant, agent_id),
      told: {
        action: 'agent_enrolled',
        tenant: token.tenant,
        agent_id,
        by: 'agent',
        message: `${hostname} (${os}, ${arch}) was enrolled${again} with token ${token.jti}`,
      },
    };
  };

  return {
    async enrol(token, request, thumbprint, at) {
      const { jti: id, tenant, root_sha256, exp: expires_at } = token;
      const call = { token: { id, tenant, root_sha256, expires_at }, thumbprint };
      const { answer, gitToken } = await rows.enrol(call, at, (facts): Answered => {
        if (facts.isTokenRevoked) {
          throw new RequestRefused(
            403,
            'token_revoked',
            'expected an enrolment token that is still good, found one that was revoked; ask for a new one',
          );
        }
        const { served } = facts;
        if (served === null) return first(facts, token, request, { thumbprint, at });
        if (served.thumbprint !== thumbprint) {
          throw new RequestRefused(
            409,
            'token_used',
            'expected an enrolment token that no other device has used, found one that has served another key; ask for a new one',
          );
        }
        if (served.agent?.revoked_at != null) throw revokedRefusal(served.agent);
        if (!speaks(served.standing, at)) throw replacedKey();
        const { agent_id } = served.answer;
        // It may have been replaced by a later enrolment of the same device.
        return { kind: 'again', agent_id, gitToken: secrets.gitToken(agent_id, id), answer: served.answer };
      });
      // Derived again when the answer is repeated; at rest there is only its hash.
      return { ...answer, git: { ...answer.git, token: gitToken } };
    },
    prune: async (now) => rows.prune(Math.floor(now.getTime() / 1_000)),
  };
}

/** In force, or before that one and in its grace. */
function speaks(standing: KeyStanding, at: Date): boolean {
  return standing.kind === 'in_force' || (standing.kind === 'former' && !isRetired(standing, at));
}

/** 403: the token is good, and this key may not come back. */
function replacedKey(): RequestRefused {
  return new RequestRefused(
    403,
    'key_retired',
    'expected a device key in force, or a new one, found one that was replaced and retired; make a new device key',
  );
}

/** 403: what was signed by, or belongs to, an agent that is one no more. */
export function revokedRefusal(
  agent: Pick<Agent, 'agent_id' | 'revoked_at' | 'revoked_by' | 'revoked_why'>,
): RequestRefused {
  const { agent_id, revoked_at, revoked_by, revoked_why } = agent;
  const how = revoked_by === 'agent' ? 'which unenrolled itself' : 'revoked';
  const why = revoked_why === null || revoked_why === '' ? '' : ` (${revoked_why})`;
  return new RequestRefused(
    403,
    'agent_revoked',
    `expected an agent in good standing, found ${agent_id}, ${how} at ${revoked_at}${why}; ask who runs the console, or enrol this machine again with a new token and a new device key`,
  );
}
