import type { EnrolmentCall, EnrolmentFacts, EnrolmentRows, KeptAnswer } from '../ports/enrolments.ts';
import { agentBy, saveAgent, setGitToken } from './agents.ts';
import { insertAudit } from './audit.ts';
import type { ConsoleDatabase } from './database.ts';
import { keyStanding, wasReplaced } from './device-keys.ts';
import { rootDocumentOf, tenantBy } from './tenants.ts';
import { isTokenRevoked } from './token-records.ts';

export function createEnrolmentRows(database: ConsoleDatabase): EnrolmentRows {
  const { prepare, write } = database;

  const servedBy = (tokenId: string, thumbprint: string): EnrolmentFacts['served'] => {
    const find = 'SELECT agent_id, thumbprint, answer FROM enrolments WHERE jti = ?';
    const row = prepare(find).get(tokenId) as
      | { agent_id: string; thumbprint: string; answer: string }
      | undefined;
    if (row === undefined) return null;
    return {
      thumbprint: row.thumbprint,
      answer: JSON.parse(row.answer) as KeptAnswer,
      agent: agentBy(database, 'agent_id', row.agent_id),
      standing: keyStanding(database, row.agent_id, thumbprint),
    };
  };
  const factsOf = ({ token, thumbprint }: EnrolmentCall): EnrolmentFacts => ({
    isTokenRevoked: isTokenRevoked(database, token.id),
    served: servedBy(token.id, thumbprint),
    holder: agentBy(database, 'thumbprint', thumbprint),
    wasReplaced: wasReplaced(database, thumbprint),
    tenant: tenantBy(database, 'slug', token.tenant),
    root: rootDocumentOf(database, token.tenant, token.root_sha256),
  });

  return {
    enrol: (call, at, decide) =>
      write(() => {
        const step = decide(factsOf(call));
        if (step.kind === 'again') {
          setGitToken(database, step.agent_id, step.gitToken);
          return step;
        }
        const { agent, gitToken, answer, told } = step;
        saveAgent(database, agent, gitToken);
        prepare(
          'INSERT INTO enrolments (jti, agent_id, thumbprint, answer, expires_at) VALUES (?, ?, ?, ?, ?)',
        ).run(call.token.id, agent.agent_id, call.thumbprint, JSON.stringify(answer), call.token.expires_at);
        insertAudit(database, told, at);
        return step;
      }),
    prune: (before) =>
      write(() => {
        prepare(
          `UPDATE enrolment_tokens SET agent_id = enrolments.agent_id FROM enrolments
           WHERE enrolments.jti = enrolment_tokens.jti AND enrolments.expires_at < ?`,
        ).run(before);
        return Number(prepare('DELETE FROM enrolments WHERE expires_at < ?').run(before).changes);
      }),
  };
}
