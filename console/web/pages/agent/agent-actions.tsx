import type { ActionName } from '../../../../schemas/console/action.ts';
import type { AgentDetail } from '../../../../schemas/console/agent.ts';
import type { Asking } from '../../actions/asking.ts';
import { useMay } from '../../api/session.ts';
import { Button } from '../../parts/button.tsx';
import { Menu } from '../../parts/menu.tsx';
import { en as actionsEn } from '../../text/en/actions.ts';
import { en } from '../../text/en/agent.ts';
import { fr as actionsFr } from '../../text/fr/actions.ts';
import { fr } from '../../text/fr/agent.ts';
import { useText } from '../../text/language.tsx';

export type Ask = (asking: Asking) => void;

/** Why an action cannot be asked of this agent by this person; null: it can, or the agent is not known yet. */
export function useOffBecause(
  agent: AgentDetail | null,
): (action: ActionName, flow?: string) => string | null {
  const { off } = useText({ en, fr });
  const mayOperate = useMay('operator', agent?.tenant);
  const mayRevoke = useMay('admin', agent?.tenant);
  return (action, flow) => {
    if (agent === null) return null;
    if (agent.revoked_at !== null) return off.revoked;
    if (action === 'revoke') return mayRevoke ? null : off.admin;
    if (!mayOperate) return off.operator;
    if (action === 'reconcile') return null;
    if (!agent.can_command) return off.noKey;
    if (action === 'run' && activeFlows(agent, flow).length === 0) {
      return flow === undefined ? off.noneActive : off.notActive;
    }
    const held = agent.status?.flows.some((flow) => flow.held !== null) === true;
    if (action === 'resume' && agent.suspended === null && !held) return off.notSuspended;
    return null;
  };
}

/** Those that can be run: of all of them, or of this one. */
function activeFlows(agent: AgentDetail, flow?: string): string[] {
  return (agent.status?.flows ?? [])
    .filter(({ id, active_version }) => active_version !== null && (flow === undefined || id === flow))
    .map(({ id }) => id);
}

export function askingOf(agent: AgentDetail, action: ActionName, flow?: string): Asking {
  return {
    action,
    targets: { agents: [agent.agent_id] },
    count: 1,
    hostname: agent.hostname,
    tenant: agent.tenant,
    flow,
    flows: action === 'run' ? activeFlows(agent) : (agent.status?.flows ?? []).map(({ id }) => id),
  };
}

/** The two that are wanted most as buttons, the others in a menu. */
export function AgentActions({ agent, onAsk }: { agent: AgentDetail; onAsk: Ask }) {
  const text = useText({ en, fr });
  const { verb } = useText({ en: actionsEn, fr: actionsFr });
  const offBecause = useOffBecause(agent);
  const more: ActionName[] = ['suspend', 'resume', 'rollback', 'revoke'];
  return (
    <>
      <Button offBecause={offBecause('reconcile')} onClick={() => onAsk(askingOf(agent, 'reconcile'))}>
        {verb.reconcile}
      </Button>
      <Button look="main" offBecause={offBecause('run')} onClick={() => onAsk(askingOf(agent, 'run'))}>
        {verb.run}
      </Button>
      <Menu
        label={text.actions}
        icon="dots"
        items={more.map((action) => ({
          id: action,
          word: verb[action],
          danger: action === 'revoke',
          offBecause: offBecause(action),
          onChoose: () => onAsk(askingOf(agent, action)),
        }))}
      />
    </>
  );
}
