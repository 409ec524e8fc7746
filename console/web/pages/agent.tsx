import type { AgentDetail } from '../../../schemas/console/agent.ts';
import { useAsking } from '../actions/use-asking.tsx';
import { useAgent } from '../api/queries.ts';
import { useParameter } from '../frame/address.ts';
import type { PageParameters } from '../frame/lazy-page.tsx';
import { StateBadge } from '../parts/badge.tsx';
import { Bones, Empty, FaultNote } from '../parts/note.tsx';
import { Page } from '../parts/page.tsx';
import { Tabs } from '../parts/tabs.tsx';
import { Time } from '../parts/time.tsx';
import '../style/agent.css';
import { en } from '../text/en/agent.ts';
import { en as listEn } from '../text/en/agents.ts';
import { fr } from '../text/fr/agent.ts';
import { fr as listFr } from '../text/fr/agents.ts';
import { useText } from '../text/language.tsx';
import { AgentActions, type Ask } from './agent/agent-actions.tsx';
import { Alerts } from './agent/alerts.tsx';
import { CommandsTab } from './agent/commands-tab.tsx';
import { EventsTab } from './agent/events-tab.tsx';
import { FactsCard } from './agent/facts.tsx';
import { FlowsTab } from './agent/flows-tab.tsx';
import { HistoryTab } from './agent/history-tab.tsx';
import { IdentityTab } from './agent/identity-tab.tsx';
import { SyncCard, TunnelCard } from './agent/lights.tsx';
import { RunsTab } from './agent/runs-tab.tsx';
import { StatusTab } from './agent/status-tab.tsx';
import { VersionsTab } from './agent/versions-tab.tsx';

const TABS = ['flows', 'versions', 'runs', 'events', 'history', 'commands', 'identity', 'status'] as const;

/** One machine: whether it can be reached, whether it has what it should, and all that is known of it. */
export default function Agent({ params }: PageParameters) {
  const list = useText({ en: listEn, fr: listFr });
  const { data: agent, error, refetch } = useAgent(params.id ?? '');
  const trail = [{ to: '/agents', title: list.title }];
  if (agent === undefined)
    return (
      <Page title={params.id ?? ''} trail={trail}>
        {error === null ? <Bones lines={12} /> : <FaultNote fault={error} onRetry={() => void refetch()} />}
      </Page>
    );
  return <Known agent={agent} trail={trail} />;
}

function Known({ agent, trail }: { agent: AgentDetail; trail: { to: string; title: string }[] }) {
  const text = useText({ en, fr });
  const [dialog, ask] = useAsking();
  const asked = useParameter('tab');
  const tab = TABS.find((each) => each === asked) ?? 'flows';
  const status = agent.status;
  const counts = { flows: status?.flows.length, versions: status?.versions?.length };
  return (
    <Page
      title={agent.hostname}
      heading={
        <span class="line">
          <span class="agent-title">{agent.hostname}</span>
          <StateBadge state={agent.state} />
          <span class="quiet small">
            <Time at={agent.state_since} />
          </span>
        </span>
      }
      trail={trail}
      actions={<AgentActions agent={agent} onAsk={ask} />}
    >
      <Alerts agent={agent} />
      <div class="lights">
        <TunnelCard agent={agent} />
        <SyncCard agent={agent} />
      </div>
      <FactsCard agent={agent} />
      <Tabs
        label={text.tabsLabel}
        shown={tab}
        tabs={TABS.map((id) => ({
          id,
          title: text.tabs[id],
          count: id === 'flows' || id === 'versions' ? counts[id] : undefined,
        }))}
      />
      {status === null && (tab === 'flows' || tab === 'versions' || tab === 'status') ? (
        <Empty icon="waiting" title={text.noStatus}>
          {text.noStatusMore}
        </Empty>
      ) : (
        <TabBody tab={tab} agent={agent} onAsk={ask} />
      )}
      {dialog}
    </Page>
  );
}

function TabBody(props: { tab: (typeof TABS)[number]; agent: AgentDetail; onAsk: Ask }) {
  const { agent } = props;
  switch (props.tab) {
    case 'flows':
      return <FlowsTab agent={agent} onAsk={props.onAsk} />;
    case 'versions':
      return <VersionsTab agent={agent} />;
    case 'runs':
      return <RunsTab agentId={agent.agent_id} />;
    case 'events':
      return <EventsTab agentId={agent.agent_id} />;
    case 'history':
      return <HistoryTab agentId={agent.agent_id} />;
    case 'commands':
      return <CommandsTab agentId={agent.agent_id} />;
    case 'identity':
      return <IdentityTab agent={agent} />;
    case 'status':
      return <StatusTab agent={agent} />;
  }
}
