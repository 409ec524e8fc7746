import type { EnrolAnswer, EnrolmentToken, EnrolRequest } from '../schemas/enrolment.ts';
import { keySpeaks, wasReplaced } from './device-keys.ts';
import { RequestRefused } from './refusal.ts';
import type { ConsoleSecrets } from './secrets.ts';
import type { Agent } from './store/ports/agents.ts';
import { agentBy, saveAgent, setGitToken } from './store/sqlite/agents.ts';
import { insertAudit } from './store/sqlite/audit.ts';
import type { ConsoleDatabase } from './store/sqlite/database.ts';
import { rootDocumentOf, tenantBy } from './store/sqlite/tenants.ts';
import { isTokenRevoked } from './store/sqlite/token-records.ts';
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

export function createEnrolment(parts: {
  readonly database: ConsoleDatabase;
  readonly secrets: ConsoleSecrets;
  readonly newId: () => string;
  /** Origin the agents call. */
  readonly publicUrl: () => string;
}): Enrolment {
  const { database, secrets } = parts;
  const { prepare, write } = database;

  const answerOf = (token: EnrolmentToken, agentId: string): EnrolAnswer => {
    const tenant = tenantBy(database, 'slug', token.tenant);
    const root = rootDocumentOf(database, token.tenant, token.root_sha256);
    if (tenant === null || root === null) {
      throw new RequestRefused(
        403,
        'tenant_unknown',
        `expected a token for a tenant of this console, found tenant "${token.tenant}" or its root gone; ask for a new token`,
      );
    }
    const { allow, endpoint, access_key, secret_key } = tenant.artifacts;
    const url = parts.publicUrl();
    return {
      agent_id: agentId,
      tenant: tenant.slug,
      git: { url: `${url}/git/${tenant.slug}.git`, token: secrets.gitToken(agentId, token.jti) },
      root,
      tunnel_url: `${webSocketOrigin(url)}${TUNNEL_PATH}`,
      artifacts: { allow: [`${url}/artifacts/${tenant.slug}/`, ...allow], endpoint, access_key, secret_key },
    };
  };

  const first = (token: EnrolmentToken, request: EnrolRequest, thumbprint: string, at: Date): EnrolAnswer => {
    const known = agentBy(database, 'thumbprint', thumbprint);
    if (known !== null && known.tenant !== token.tenant) {
      throw new RequestRefused(
        409,
        'key_in_use',
        'expected a device key of its own for every tenant, found one that is enrolled with another; make a new device key',
      );
    }
    if (known?.revoked_at != null) throw revokedRefusal(known);
    if (known === null && wasReplaced(database, thumbprint)) throw replacedKey();
    const agentId = known?.agent_id ?? parts.newId();
    const answer = answerOf(token, agentId);
    const gitToken = answer.git.token as string;
    saveAgent(
      database,
      {
        agent_id: agentId,
        tenant: token.tenant,
        thumbprint,
        device_jwk: request.device_jwk,
        hostname: request.hostname,
        os: request.os,
        arch: request.arch,
        agent_version: request.agent_version,
        enrolled_at: at.toISOString(),
      },
      gitToken,
    );
    // The git token is derived again when the answer is repeated; at rest there is only its hash.
    prepare(
      'INSERT INTO enrolments (jti, agent_id, thumbprint, answer, expires_at) VALUES (?, ?, ?, ?, ?)',
    ).run(
      token.jti,
      agentId,
      thumbprint,
      JSON.stringify({ ...answer, git: { url: answer.git.url } }),
      token.exp,
    );
    const again = known === null ? '' : ' again';
    insertAudit(
      database,
      {
        action: 'agent_enrolled',
        tenant: token.tenant,
        agent_id: agentId,
        by: 'agent',
        message: `${request.hostname} (${request.os}, ${request.arch}) was enrolled${again} with token ${token.jti}`,
      },
      at,
    );
    return answer;
  };

  return {
    enrol: (token, request, thumbprint, at) =>
      write(() => {
        if (isTokenRevoked(database, token.jti)) {
          throw new RequestRefused(
            403,
            'token_revoked',
            'expected an enrolment token that is still good, found one that was revoked; ask for a new one',
          );
        }
        const served = prepare('SELECT agent_id, thumbprint, answer FROM enrolments WHERE jti = ?').get(
          token.jti,
        ) as { agent_id: string; thumbprint: string; answer: string } | undefined;
        if (served === undefined) return first(token, request, thumbprint, at);
        if (served.thumbprint !== thumbprint) {
          throw new RequestRefused(
            409,
            'token_used',
            'expected an enrolment token that no other device has used, found one that has served another key; ask for a new one',
          );
        }
        const agent = agentBy(database, 'agent_id', served.agent_id);
        if (agent?.revoked_at != null) throw revokedRefusal(agent);
        if (!keySpeaks(database, served.agent_id, thumbprint, at)) throw replacedKey();
        const answer = JSON.parse(served.answer) as EnrolAnswer;
        const gitToken = secrets.gitToken(served.agent_id, token.jti);
        // It may have been replaced by a later enrolment of the same device.
        setGitToken(database, served.agent_id, gitToken);
        return { ...answer, git: { ...answer.git, token: gitToken } };
      }),
    prune: (now) =>
      write(() => {
        const before = Math.floor(now.getTime() / 1_000);
        prepare(
          `UPDATE enrolment_tokens SET agent_id = enrolments.agent_id FROM enrolments
           WHERE enrolments.jti = enrolment_tokens.jti AND enrolments.expires_at < ?`,
        ).run(before);
        return Number(prepare('DELETE FROM enrolments WHERE expires_at < ?').run(before).changes);
      }),
  };
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
