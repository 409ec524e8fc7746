import type { ActionName } from '../../../../schemas/console/action.ts';
import type { AgentRow } from '../../../../schemas/console/agent.ts';
import type { Asking } from '../../actions/asking.ts';
import { useMay } from '../../api/session.ts';
import { Button } from '../../parts/button.tsx';
import { type Selection, selectedCount } from '../../parts/selection.ts';
import { SelectionBar } from '../../parts/table-tools.tsx';
import { en as actionsEn } from '../../text/en/actions.ts';
import { en } from '../../text/en/agents.ts';
import { fr as actionsFr } from '../../text/fr/actions.ts';
import { fr } from '../../text/fr/agents.ts';
import { useText } from '../../text/language.tsx';
import type { filterIn } from './query.ts';

const OPERATOR: readonly ActionName[] = ['reconcile', 'run', 'suspend', 'resume', 'rollback'];

/** What can be asked of the agents that are chosen. */
export function ChosenActions(props: {
  selection: Selection;
  filter: ReturnType<typeof filterIn>;
  rows: readonly AgentRow[];
  total: number;
  tenant: string | null;
  onSelect: (selection: Selection) => void;
  onAsk: (asking: Asking) => void;
}) {
  const text = useText({ en, fr });
  const actions = useText({ en: actionsEn, fr: actionsFr });
  const mayOperate = useMay('operator', props.tenant);
  const mayRevoke = useMay('admin', props.tenant);
  const { selection, rows } = props;

  const ask = (action: ActionName) => {
    const chosen =
      selection.kind === 'rows' ? rows.filter(({ agent_id }) => selection.ids.has(agent_id)) : [];
    const [only] = chosen;
    const tenants = new Set(chosen.map(({ tenant }) => tenant));
    props.onAsk({
      action,
      count: selectedCount(selection),
      targets:
        selection.kind === 'rows'
          ? { agents: [...selection.ids] }
          : { filter: props.filter, expected: selection.expected },
      tenant: props.tenant ?? (tenants.size === 1 ? ([...tenants][0] ?? null) : null),
      ...(selection.kind === 'rows' && selection.ids.size === 1 && only !== undefined
        ? { hostname: only.hostname }
        : {}),
    });
  };
  return (
    <SelectionBar selection={selection} total={props.total} onPage={rows.length} onSelect={props.onSelect}>
      {OPERATOR.map((action) => (
        <Button
          key={action}
          small
          offBecause={mayOperate ? null : text.needs.operator}
          onClick={() => ask(action)}
        >
          {actions.verb[action]}
        </Button>
      ))}
      <Button
        small
        look="danger"
        offBecause={mayRevoke ? null : text.needs.admin}
        onClick={() => ask('revoke')}
      >
        {actions.verb.revoke}
      </Button>
    </SelectionBar>
  );
}
