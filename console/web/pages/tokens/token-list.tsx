import { useQueryClient } from '@tanstack/preact-query';
import { useState } from 'preact/hooks';
import type { TokenRow } from '../../../../schemas/console/token.ts';
import { useApi } from '../../api/provider.tsx';
import { may, usePerson } from '../../api/session.ts';
import { Badge, type Tone } from '../../parts/badge.tsx';
import { Button } from '../../parts/button.tsx';
import { Mono } from '../../parts/copied.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Link } from '../../parts/link.tsx';
import { Empty, FaultNote } from '../../parts/note.tsx';
import { SameNameId, sameNamed } from '../../parts/same-name.tsx';
import { Time } from '../../parts/time.tsx';
import { useToast } from '../../parts/toast.tsx';
import { en } from '../../text/en/tokens.ts';
import { fr } from '../../text/fr/tokens.ts';
import { useText } from '../../text/language.tsx';
import { useWords } from '../../text/words.ts';

const TONE: Readonly<Record<TokenRow['state'], Tone>> = {
  open: 'busy',
  used: 'ok',
  expired: 'none',
  revoked: 'none',
};

/** The tokens there have been, and what became of them. */
export function TokenList(props: {
  tokens: readonly TokenRow[] | undefined;
  stale: boolean;
  fault: unknown;
  onRetry: () => void;
}) {
  const text = useText({ en, fr });
  const [revoking, setRevoking] = useState<TokenRow | null>(null);
  const columns = useColumns(setRevoking, sameNamed(props.tokens ?? []));
  return (
    <section class="stack-small">
      <h2>{text.list}</h2>
      <DataTable<TokenRow>
        caption={text.list}
        columns={columns}
        rows={props.tokens}
        rowId={({ token_id }) => token_id}
        stale={props.stale}
        fault={props.fault}
        onRetry={props.onRetry}
        empty={
          <Empty icon="tokens" title={text.none}>
            {text.noneMore}
          </Empty>
        }
      />
      {revoking === null ? null : <RevokeDialog token={revoking} onClose={() => setRevoking(null)} />}
    </section>
  );
}

function useColumns(onRevoke: (token: TokenRow) => void, among: ReadonlySet<string>): Column<TokenRow>[] {
  const text = useText({ en, fr });
  return [
    {
      id: 'state',
      title: text.column.state,
      tight: true,
      card: 'badge',
      cell: ({ state }) => <Badge tone={TONE[state]}>{text.states[state]}</Badge>,
    },
    { id: 'tenant', title: text.column.tenant, card: 'title', cell: ({ tenant }) => tenant },
    {
      id: 'agent',
      title: text.column.agent,
      cell: ({ agent_id, hostname }) =>
        agent_id === null ? (
          <span class="quiet">–</span>
        ) : (
          <span>
            <Link to={`/agents/${agent_id}`}>{hostname ?? agent_id}</Link>
            <SameNameId agentId={agent_id} among={among} />
          </span>
        ),
    },
    { id: 'made', title: text.column.made, tight: true, cell: ({ made_at }) => <Time at={made_at} /> },
    { id: 'by', title: text.column.by, tight: true, cell: ({ made_by }) => made_by ?? '–' },
    {
      id: 'expires',
      title: text.column.expires,
      tight: true,
      cell: ({ expires_at, state }) =>
        state === 'used' || state === 'revoked' ? <span class="quiet">–</span> : <Time at={expires_at} />,
    },
    {
      id: 'id',
      title: text.column.id,
      tight: true,
      hideMedium: true,
      cell: ({ token_id }) => <Mono text={token_id} short={`${token_id.slice(0, 8)}…`} copy />,
    },
    {
      id: 'revoke',
      title: text.revoke,
      titleUnseen: true,
      tight: true,
      cell: (token) => (token.state === 'open' ? <RevokeButton token={token} onRevoke={onRevoke} /> : null),
    },
  ];
}

function RevokeButton({ token, onRevoke }: { token: TokenRow; onRevoke: (token: TokenRow) => void }) {
  const text = useText({ en, fr });
  const { grants } = usePerson();
  return (
    <Button
      small
      offBecause={may(grants, 'admin', token.tenant) ? null : text.needsAdmin}
      onClick={() => onRevoke(token)}
    >
      {text.revoke}
    </Button>
  );
}

function RevokeDialog({ token, onClose }: { token: TokenRow; onClose: () => void }) {
  const text = useText({ en, fr });
  const words = useWords();
  const api = useApi();
  const toast = useToast();
  const queries = useQueryClient();
  const [fault, setFault] = useState<unknown>(null);
  const revoke = async () => {
    try {
      await api.send('DELETE', `/api/tokens/${encodeURIComponent(token.token_id)}`);
      await queries.invalidateQueries({ queryKey: ['tokens'] });
      toast('ok', text.revoked);
      onClose();
    } catch (error) {
      setFault(error);
    }
  };
  return (
    <Dialog
      title={text.revokeTitle}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{words.cancel}</Button>
          <Button look="danger" onClick={() => void revoke()}>
            {text.revoke}
          </Button>
        </>
      }
    >
      <p>{text.revokeWill}</p>
      {fault === null ? null : <FaultNote fault={fault} />}
    </Dialog>
  );
}
