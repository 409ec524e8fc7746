import { useQueryClient } from '@tanstack/preact-query';
import { useState } from 'preact/hooks';
import type { TenantRow } from '../../../../schemas/console/token.ts';
import type { TriggerKeyAnswer } from '../../../../schemas/console/trigger-key.ts';
import { useApi } from '../../api/provider.tsx';
import { useTenants } from '../../api/queries.ts';
import { may, usePerson } from '../../api/session.ts';
import { useTenant } from '../../frame/address.ts';
import { Button } from '../../parts/button.tsx';
import { Copy, Mono } from '../../parts/copied.tsx';
import { Link } from '../../parts/link.tsx';
import { Bones, Empty, FaultNote, Note } from '../../parts/note.tsx';
import { Card, Facts } from '../../parts/page.tsx';
import { Time } from '../../parts/time.tsx';
import { useToast } from '../../parts/toast.tsx';
import { en } from '../../text/en/settings.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/settings.ts';
import { useText } from '../../text/language.tsx';
import { FormDialog } from './form-dialog.tsx';
import { GiveTriggerKey } from './give-trigger-key.tsx';

/** Each tenant: where its branch is, which root its agents believe, and whether the console may sign for it. */
export function TenantsTab() {
  const { tenants: text } = useText({ en, fr });
  const { data, error, refetch } = useTenants();
  const tenant = useTenant();
  const [asked, setAsked] = useState<{ kind: 'give' | 'take'; slug: string } | null>(null);
  if (data === undefined)
    return error === null ? (
      <Bones lines={3} block />
    ) : (
      <FaultNote fault={error} onRetry={() => void refetch()} />
    );
  const shown = data.tenants.filter(({ slug }) => tenant === null || slug === tenant);
  if (shown.length === 0)
    return (
      <div class="card">
        <Empty icon="tenant" title={text.none} command={text.noneCommand}>
          {text.noneMore}
        </Empty>
      </div>
    );
  const close = () => setAsked(null);
  return (
    <div class="stack">
      {shown.map((each) => (
        <TenantCard key={each.slug} tenant={each} onAsk={(kind) => setAsked({ kind, slug: each.slug })} />
      ))}
      {asked?.kind === 'give' ? <GiveTriggerKey slug={asked.slug} onClose={close} /> : null}
      {asked?.kind === 'take' ? <TakeTriggerKey slug={asked.slug} onClose={close} /> : null}
    </div>
  );
}

function TenantCard({ tenant, onAsk }: { tenant: TenantRow; onAsk: (kind: 'give' | 'take') => void }) {
  const { tenants: text, offTenant } = useText({ en, fr });
  const format = useFormat();
  const off = may(usePerson().grants, 'admin', tenant.slug) ? null : offTenant(tenant.slug);
  const { trigger_key: key } = tenant;
  return (
    <Card title={tenant.slug}>
      <div class="columns">
        <Facts
          facts={[
            [
              text.git,
              <span key="git" class="tenant-git">
                <span class="mono">{tenant.git_url}</span>
                <Copy text={tenant.git_url} what={tenant.git_url} />
              </span>,
            ],
            [text.branch, <Mono key="branch" text={tenant.branch} copy />],
            [
              text.root,
              <Mono key="root" text={tenant.root_sha256} short={tenant.root_sha256.slice(0, 16)} copy />,
            ],
            [
              text.agents,
              <Link key="agents" to="/agents" query={{ tenant: tenant.slug }}>
                {format.number(tenant.agents)}
              </Link>,
            ],
            [text.since, <Time key="since" at={tenant.created_at} />],
          ]}
        />
        <div class="stack-small">
          <h3>{text.key}</h3>
          <Note
            tone={key === null ? 'none' : 'ok'}
            icon="tokens"
            title={key === null ? text.keyAbsent : text.keyHere}
          >
            {key === null ? (
              <p>{text.keyAbsentMore}</p>
            ) : (
              <p class="line">
                <Mono text={key.kid} short={key.kid.slice(0, 12)} copy /> {text.keyGiven(key.added_by)}{' '}
                <Time at={key.added_at} />
              </p>
            )}
          </Note>
          <div class="line">
            <Button small offBecause={off} onClick={() => onAsk('give')}>
              {key === null ? text.give : text.replace}
            </Button>
            {key === null ? null : (
              <Button small offBecause={off} onClick={() => onAsk('take')}>
                {text.take}
              </Button>
            )}
          </div>
        </div>
      </div>
    </Card>
  );
}

function TakeTriggerKey({ slug, onClose }: { slug: string; onClose: () => void }) {
  const { tenants: text } = useText({ en, fr });
  const api = useApi();
  const queries = useQueryClient();
  const toast = useToast();
  const send = async () => {
    await api.send<TriggerKeyAnswer>('DELETE', `/api/tenants/${encodeURIComponent(slug)}/trigger-key`);
    void queries.invalidateQueries({ queryKey: ['tenants'] });
    void queries.invalidateQueries({ queryKey: ['agents'] });
    toast('ok', text.taken(slug));
    return true;
  };
  return (
    <FormDialog title={text.takeTitle(slug)} action={text.takeAction} danger onSend={send} onClose={onClose}>
      <p>{text.takeText}</p>
    </FormDialog>
  );
}
