import { useState } from 'preact/hooks';
import type { AgentDetail } from '../../../../schemas/console/agent.ts';
import { useApi } from '../../api/provider.tsx';
import { useMay } from '../../api/session.ts';
import { Badge } from '../../parts/badge.tsx';
import { Button } from '../../parts/button.tsx';
import { ConfirmAction } from '../../parts/confirm-action.tsx';
import { Mono } from '../../parts/copied.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/note.tsx';
import { Card } from '../../parts/page.tsx';
import { Time } from '../../parts/time.tsx';
import { useToast } from '../../parts/toast.tsx';
import { en } from '../../text/en/agent.ts';
import { en as reportedEn } from '../../text/en/reported.ts';
import { fr } from '../../text/fr/agent.ts';
import { fr as reportedFr } from '../../text/fr/reported.ts';
import { useText } from '../../text/language.tsx';

interface Process {
  readonly boot_id: string;
  readonly machine: string | null;
  readonly hostname: string | null;
  readonly os: string | null;
  readonly address: string;
  readonly first_at: string;
  readonly last_at: string;
}

/** The processes of one machine, as far as the console can tell. */
interface Machine extends Process {
  readonly processes: number;
}

interface FormerKey {
  readonly thumbprint: string;
  readonly replaced_at: string;
  readonly refused_uses: number;
}

/** Who may speak as this agent, and who has. */
export function IdentityTab({ agent }: { agent: AgentDetail }) {
  const { identity: text, off } = useText({ en, fr });
  const mayRotate = useMay('admin', agent.tenant);
  const [asking, setAsking] = useState(false);
  const reported = useText({ en: reportedEn, fr: reportedFr }).processes;
  const columns = useColumns();
  const former = (agent['former_keys'] ?? []) as readonly FormerKey[];
  const processes = (agent['processes'] ?? []) as readonly Process[];
  const offBecause = agent.revoked_at === null ? (mayRotate ? null : off.admin) : off.revoked;
  return (
    <div class="stack">
      <Card
        title={text.keys}
        side={
          <Button small offBecause={offBecause} onClick={() => setAsking(true)}>
            {text.rotate}
          </Button>
        }
      >
        <ul class="stack-small plain-list">
          <li class="line">
            <Mono text={agent['thumbprint'] as string} copy />
            <Badge tone="ok">{text.keyNow}</Badge>
            <span class="quiet small">
              {text.keySince} <Time at={(agent['key_since'] as string | null) ?? agent.enrolled_at} />
            </span>
          </li>
          {former.map((key) => (
            <li key={key.thumbprint} class="line">
              <Mono text={key.thumbprint} copy />
              <Badge tone="none">{text.keyFormer}</Badge>
              <span class="quiet small">
                <Time at={key.replaced_at} />
              </span>
              {key.refused_uses === 0 ? null : (
                <Badge tone="warn" icon="warning">
                  {text.refusedUses(key.refused_uses)}
                </Badge>
              )}
            </li>
          ))}
        </ul>
      </Card>
      <section class="stack-small">
        <h2>{reported.title}</h2>
        <p class="quiet small">{reported.lead}</p>
        <DataTable<Machine>
          caption={reported.title}
          columns={columns}
          rows={machinesOf(processes, agent.identity_conflict?.state === 'ongoing')}
          rowId={({ boot_id }) => boot_id}
          empty={<Empty icon="person" title={text.none} />}
        />
      </section>
      {asking ? <AskRotation agent={agent} onClose={() => setAsking(false)} /> : null}
    </div>
  );
}

function AskRotation({ agent, onClose }: { agent: AgentDetail; onClose: () => void }) {
  const { identity: text } = useText({ en, fr });
  const api = useApi();
  const toast = useToast();
  return (
    <ConfirmAction
      title={text.rotateTitle(agent.hostname)}
      action={text.rotate}
      outcome={<p>{text.rotateWill}</p>}
      onClose={onClose}
      onConfirm={async (reason) => {
        await api.send('POST', `/api/agents/${encodeURIComponent(agent.agent_id)}/rotate-key`, { reason });
        toast('ok', text.rotated);
      }}
    />
  );
}

/**
 * A row a machine, its processes together: each short call of the command line is one of its own. While two machines are at odds
 * every process stands alone, since which of them belong together is what a person has to find out.
 */
function machinesOf(processes: readonly Process[], apart: boolean): Machine[] {
  const machines = Map.groupBy(processes, ({ boot_id, machine, hostname, os, address }) =>
    apart ? boot_id : JSON.stringify([machine, hostname, os, address]),
  );
  return [...machines.values()].flatMap((all) => {
    // The latest heard of is the first of the list.
    const [latest] = all;
    if (latest === undefined) return [];
    const first = all.map(({ first_at }) => first_at).toSorted()[0] ?? latest.first_at;
    return [{ ...latest, first_at: first, processes: all.length }];
  });
}

function useColumns(): Column<Machine>[] {
  const { identity: text } = useText({ en, fr });
  const { processes: reported } = useText({ en: reportedEn, fr: reportedFr });
  return [
    { id: 'host', title: text.host, card: 'title', cell: ({ hostname }) => hostname ?? '–' },
    { id: 'system', title: text.system, cell: ({ os }) => os ?? '–' },
    { id: 'address', title: text.address, cell: ({ address }) => <Mono text={address} /> },
    {
      id: 'processes',
      title: reported.count,
      tight: true,
      cell: ({ processes }) => reported.counted(processes),
    },
    { id: 'first', title: text.first, cell: ({ first_at }) => <Time at={first_at} /> },
    { id: 'last', title: text.last, cell: ({ last_at }) => <Time at={last_at} /> },
  ];
}
