import type { AgentRow } from '../../../../schemas/console/agent.ts';
import { Badge, HealthBadge, StateBadge } from '../../parts/badge.tsx';
import { Revision, Verbatim } from '../../parts/copied.tsx';
import type { Column } from '../../parts/data-table.tsx';
import { HeldMark } from '../../parts/held-mark.tsx';
import { SameNameId } from '../../parts/same-name.tsx';
import { Time } from '../../parts/time.tsx';
import { en } from '../../text/en/agents.ts';
import { fr } from '../../text/fr/agents.ts';
import { useText } from '../../text/language.tsx';

/** State, tunnel, sync and health stand apart: a machine may be connected and stalled, or silent and fine. */
export function useColumns(withTenant: boolean, among: ReadonlySet<string>): Column<AgentRow>[] {
  const text = useText({ en, fr });
  return [
    {
      id: 'state',
      title: text.column.state,
      sort: 'state',
      tight: true,
      card: 'badge',
      cell: (agent) => <StateBadge state={agent.state} />,
    },
    {
      id: 'hostname',
      title: text.column.hostname,
      sort: 'hostname',
      card: 'title',
      cell: (agent) => <Name agent={agent} withTenant={withTenant} among={among} />,
    },
    { id: 'tunnel', title: text.column.tunnel, tight: true, cell: (agent) => <Tunnel agent={agent} /> },
    { id: 'sync', title: text.column.sync, tight: true, cell: (agent) => <Sync agent={agent} /> },
    {
      id: 'health',
      title: text.column.health,
      tight: true,
      hideMedium: true,
      cell: (agent) =>
        agent.health === null ? <span class="quiet">–</span> : <HealthBadge health={agent.health} plain />,
    },
    { id: 'problem', title: text.column.problem, wide: true, cell: (agent) => <Problem agent={agent} /> },
    {
      id: 'seen',
      title: text.column.seen,
      sort: 'last_seen_at',
      tight: true,
      cell: (agent) => <Time at={agent.last_seen_at} />,
    },
  ];
}

function Name(props: { agent: AgentRow; withTenant: boolean; among: ReadonlySet<string> }) {
  const { agent, withTenant, among } = props;
  const labels = Object.entries(agent.labels).map(([key, value]) => `${key}: ${value}`);
  const more = withTenant ? [agent.tenant, ...labels] : labels;
  return (
    <span class="agent-name">
      <span class="agent-host" title={agent.hostname}>
        {agent.hostname}
        <SameNameId agentId={agent.agent_id} among={among} />
      </span>
      {more.length === 0 ? null : (
        <span class="agent-labels" title={more.join('\n')}>
          {more.join(' · ')}
        </span>
      )}
    </span>
  );
}

function Tunnel({ agent }: { agent: AgentRow }) {
  const text = useText({ en, fr });
  return agent.tunnel.connected ? (
    <Badge tone="ok" icon="tunnel" plain>
      {text.connected}
    </Badge>
  ) : (
    <Badge tone="none" icon="unreachable" plain>
      {text.disconnected}
    </Badge>
  );
}

function Sync({ agent }: { agent: AgentRow }) {
  const { applied_revision: applied, desired_revision: desired, commit } = agent;
  const synced = applied !== null && applied === desired;
  const tone = agent.held.length > 0 ? 'calm' : synced ? 'ok' : 'busy';
  return (
    <span class={`sync is-${tone}`} title={commit?.subject}>
      <Revision revision={applied} />
      {synced || desired === null ? null : (
        <span>
          → <Revision revision={desired} />
        </span>
      )}
      <HeldMark held={agent.held} />
    </span>
  );
}

function Problem({ agent }: { agent: AgentRow }) {
  const { problem } = agent;
  if (problem === null) return null;
  return (
    <span class="problem" title={problem.message}>
      <strong>{problem.reason}</strong>
      <span class="problem-message">
        <Verbatim>{problem.message}</Verbatim>
      </span>
    </span>
  );
}
