import { useQueryClient } from '@tanstack/preact-query';
import { useState } from 'preact/hooks';
import type { ApiKey, KeyAnswer } from '../../../../schemas/console/keys.ts';
import { useApi } from '../../api/provider.tsx';
import { useKeys } from '../../api/queries.ts';
import { useMay } from '../../api/session.ts';
import { Badge, type Tone } from '../../parts/badge.tsx';
import { Button } from '../../parts/button.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import type { IconName } from '../../parts/icon.tsx';
import { Empty } from '../../parts/note.tsx';
import { Time } from '../../parts/time.tsx';
import { useToast } from '../../parts/toast.tsx';
import { en } from '../../text/en/settings.ts';
import { fr } from '../../text/fr/settings.ts';
import { useText } from '../../text/language.tsx';
import { AdminsOnly } from './admins-only.tsx';
import { FormDialog } from './form-dialog.tsx';
import { GrantList } from './grants.tsx';
import { MakeKey } from './make-key.tsx';

const LOOK: Readonly<Record<ApiKey['state'], { tone: Tone; icon: IconName }>> = {
  active: { tone: 'ok', icon: 'ready' },
  expired: { tone: 'warn', icon: 'waiting' },
  revoked: { tone: 'none', icon: 'revoked' },
};

/** What programs come in with. */
export function KeysTab() {
  const { keys: text } = useText({ en, fr });
  const isAdmin = useMay('admin');
  const { data, error, isPlaceholderData, refetch } = useKeys(isAdmin);
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const columns = useColumns(setRevoking);
  if (!isAdmin) return <AdminsOnly what="keys" />;
  return (
    <>
      <div class="line">
        <Button look="main" icon="plus" onClick={() => setMaking(true)}>
          {text.make}
        </Button>
        <span class="quiet">{text.lead}</span>
      </div>
      <DataTable<ApiKey>
        caption={text.caption}
        columns={columns}
        rows={data?.keys}
        rowId={({ id }) => id}
        stale={isPlaceholderData}
        fault={error}
        onRetry={() => void refetch()}
        empty={
          <Empty icon="tokens" title={text.none}>
            {text.noneMore}
          </Empty>
        }
      />
      {making ? <MakeKey onClose={() => setMaking(false)} /> : null}
      {revoking === null ? null : <RevokeKey apiKey={revoking} onClose={() => setRevoking(null)} />}
    </>
  );
}

function RevokeKey({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const { keys: text } = useText({ en, fr });
  const api = useApi();
  const queries = useQueryClient();
  const toast = useToast();
  const send = async () => {
    await api.send<KeyAnswer>('DELETE', `/api/keys/${encodeURIComponent(apiKey.id)}`);
    void queries.invalidateQueries({ queryKey: ['keys'] });
    toast('ok', text.revoked(apiKey.label));
    return true;
  };
  return (
    <FormDialog
      title={text.revokeTitle(apiKey.label)}
      action={text.revoke}
      danger
      onSend={send}
      onClose={onClose}
    >
      <p>{text.revokeText}</p>
    </FormDialog>
  );
}

function useColumns(onRevoke: (key: ApiKey) => void): Column<ApiKey>[] {
  const { keys: text } = useText({ en, fr });
  const { column } = text;
  return [
    { id: 'label', title: column.label, card: 'title', cell: ({ label }) => label },
    { id: 'may', title: column.may, cell: ({ grants }) => <GrantList grants={grants} /> },
    {
      id: 'state',
      title: column.state,
      tight: true,
      card: 'badge',
      cell: ({ state }) => <Badge {...LOOK[state]}>{text.state[state]}</Badge>,
    },
    {
      id: 'used',
      title: column.used,
      tight: true,
      cell: ({ last_used_at: at }) => <Time at={at} />,
    },
    {
      id: 'expires',
      title: column.expires,
      tight: true,
      cell: ({ expires_at: at }) =>
        at === null ? <span class="quiet">{text.neverExpires}</span> : <Time at={at} />,
    },
    {
      id: 'made',
      title: column.made,
      tight: true,
      hideMedium: true,
      cell: ({ created_at: at, created_by: by }) => (
        <span class="person-cell">
          <Time at={at} />
          {by === null ? null : <span class="quiet small">{text.by(by)}</span>}
        </span>
      ),
    },
    {
      id: 'actions',
      title: '',
      tight: true,
      cell: (key) => (
        <Button
          small
          offBecause={key.state === 'revoked' ? text.offRevoked : null}
          onClick={() => onRevoke(key)}
        >
          {text.revoke}
        </Button>
      ),
    },
  ];
}
