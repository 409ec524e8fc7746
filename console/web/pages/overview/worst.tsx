import type { AgentRow } from '../../../../schemas/console/agent.ts';
import { StateBadge } from '../../parts/badge.tsx';
import { Verbatim } from '../../parts/copied.tsx';
import { Link } from '../../parts/link.tsx';
import { Empty } from '../../parts/note.tsx';
import { Card } from '../../parts/page.tsx';
import { SameNameId, sameNamed } from '../../parts/same-name.tsx';
import { Time } from '../../parts/time.tsx';
import { en } from '../../text/en/overview.ts';
import { fr } from '../../text/fr/overview.ts';
import { useText } from '../../text/language.tsx';

/** Those that need somebody, the worst first, each with what it says itself. */
export function WorstCard({ agents }: { agents: readonly AgentRow[] }) {
  const text = useText({ en, fr });
  const among = sameNamed(agents);
  return (
    <Card title={text.worst} side={<Link to="/agents">{text.allOfThem}</Link>} flush>
      {agents.length === 0 ? (
        <Empty icon="ready" title={text.noneBad}>
          {text.noneBadMore}
        </Empty>
      ) : (
        <ul class="rows">
          {agents.map((agent) => (
            <li key={agent.agent_id} class="row">
              <div class="row-head">
                <Link class="row-name" to={`/agents/${agent.agent_id}`}>
                  {agent.hostname}
                </Link>
                <SameNameId agentId={agent.agent_id} among={among} />
                <span class="quiet small">{agent.tenant}</span>
                <span class="row-side">
                  <span class="quiet small">
                    <Time at={agent.state_since} />
                  </span>
                  <StateBadge state={agent.state} />
                </span>
              </div>
              {agent.problem === null ? null : (
                <p class="row-more">
                  <strong>{agent.problem.reason}</strong> <Verbatim>{agent.problem.message}</Verbatim>
                </p>
              )}
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
