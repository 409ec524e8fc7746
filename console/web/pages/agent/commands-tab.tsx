import type { CommandRow } from '../../../../schemas/console/command.ts';
import { useAgentCommands } from '../../api/queries.ts';
import { Badge, RunBadge, type Tone } from '../../parts/badge.tsx';
import { Mono, Verbatim, Version } from '../../parts/copied.tsx';
import type { Column } from '../../parts/data-table.tsx';
import { useHistoryPage } from '../../parts/history-filters.tsx';
import { HistoryList } from '../../parts/history-list.tsx';
import { Link } from '../../parts/link.tsx';
import { Time } from '../../parts/time.tsx';
import { en as actionsEn } from '../../text/en/actions.ts';
import { en } from '../../text/en/agent.ts';
import { fr as actionsFr } from '../../text/fr/actions.ts';
import { fr } from '../../text/fr/agent.ts';
import { useText } from '../../text/language.tsx';

const TONE: Readonly<Record<string, Tone>> = {
  queued: 'none',
  sent: 'busy',
  acknowledged: 'busy',
  refused: 'bad',
  expired: 'warn',
};

/** What was asked of it, and what it made of that. */
export function CommandsTab({ agentId }: { agentId: string }) {
  const { commands: text, tabs } = useText({ en, fr });
  const answer = useAgentCommands(agentId, useHistoryPage());
  return (
    <HistoryList<CommandRow>
      caption={tabs.commands}
      columns={useColumns()}
      rows={answer.data?.commands}
      rowId={({ command_id }) => command_id}
      answer={answer}
      icon="terminal"
      none={text.none}
      noneMore={text.noneMore}
    />
  );
}

function useColumns(): Column<CommandRow>[] {
  const { commands: text } = useText({ en, fr });
  const { verb } = useText({ en: actionsEn, fr: actionsFr });
  return [
    {
      id: 'action',
      title: text.action,
      card: 'title',
      cell: ({ action, agent_id, run_id }) => {
        const word = (verb as Record<string, string>)[action] ?? action;
        return run_id === null ? word : <Link to={`/agents/${agent_id}/runs/${run_id}`}>{word}</Link>;
      },
    },
    {
      id: 'state',
      title: text.state,
      tight: true,
      card: 'badge',
      cell: (command) => <Standing command={command} />,
    },
    { id: 'about', title: text.about, cell: (command) => <About command={command} /> },
    { id: 'asked', title: text.asked, wide: true, cell: (command) => <Asked command={command} /> },
    { id: 'came', title: text.came, wide: true, cell: (command) => <Came command={command} /> },
    {
      id: 'id',
      title: text.id,
      tight: true,
      hideMedium: true,
      cell: ({ command_id }) => <Mono text={command_id} short={`${command_id.slice(0, 8)}…`} copy />,
    },
  ];
}

/** Its end, where there is one; else how far it has come. A run that was asked for goes on after the command is done. */
function Standing({ command }: { command: CommandRow }) {
  const { commands: text } = useText({ en, fr });
  const { action, state, outcome, run_state } = command;
  if (outcome === 'failed') return <Badge tone="bad">{text.outcomes.failed}</Badge>;
  if (action === 'run' && run_state !== null && run_state !== 'asked') return <RunBadge state={run_state} />;
  if (outcome === 'done') return <Badge tone="ok">{text.outcomes.done}</Badge>;
  return <Badge tone={TONE[state] ?? 'none'}>{text.states[state] ?? state}</Badge>;
}

/** The flow and the version it meant; of a roll-back, the one that is active since. */
function About({ command: { action, flow, version } }: { command: CommandRow }) {
  if (flow === null) return <span class="quiet">–</span>;
  return (
    <span class="version-cell">
      {flow}
      {version === null ? null : (
        <>
          {action === 'rollback' ? ' → ' : ' '}
          <Version version={version} />
        </>
      )}
    </span>
  );
}

/** When, by whom and why. */
function Asked({ command: { created_at, asked_by: by, why } }: { command: CommandRow }) {
  return (
    <span class="one-wrap small">
      <span class="quiet">
        <Time at={created_at} />
        {by === null ? null : ` · ${by}`}{' '}
      </span>
      {why === null ? null : <Verbatim>{why}</Verbatim>}
    </span>
  );
}

/** In the agent's words, with when it was and the events that say so. */
function Came({ command }: { command: CommandRow }) {
  const { commands: text } = useText({ en, fr });
  const { agent_id: agent, command_id, state, code, message, outcome_at, outcome_message } = command;
  const waits = state === 'acknowledged' && outcome_at === null;
  const at = waits ? null : (outcome_at ?? command.settled_at);
  const said = outcome_message ?? message;
  // A run that has begun tells of itself.
  const hasBegun = command.run_state !== null && command.run_state !== 'asked';
  return (
    <span class="one-wrap small">
      {code === null ? null : <strong>{code} </strong>}
      {said === null ? null : <Verbatim>{said} </Verbatim>}
      {waits && !hasBegun ? <span class="quiet">{text.notYet} </span> : null}
      {at === null ? null : (
        <span class="quiet">
          <Time at={at} />{' '}
        </span>
      )}
      {outcome_at === null ? null : (
        <Link to="/events" query={{ agent, q: command_id }}>
          {text.events}
        </Link>
      )}
    </span>
  );
}
