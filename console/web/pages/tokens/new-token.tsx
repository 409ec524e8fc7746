import { useQueryClient } from '@tanstack/preact-query';
import { useState } from 'preact/hooks';
import type { TokenMade } from '../../../../schemas/console/token.ts';
import { useApi } from '../../api/provider.tsx';
import { useTenants } from '../../api/queries.ts';
import { may, usePerson } from '../../api/session.ts';
import { useTenant } from '../../frame/address.ts';
import { Button } from '../../parts/button.tsx';
import { Command } from '../../parts/copied.tsx';
import { Field } from '../../parts/field.tsx';
import { FaultNote } from '../../parts/note.tsx';
import { Card } from '../../parts/page.tsx';
import { en } from '../../text/en/tokens.ts';
import { fr } from '../../text/fr/tokens.ts';
import { useText } from '../../text/language.tsx';

const ADD_TENANT = 'edge-console tenant add acme --root 1.root.jws.json';

/** For which tenant, and for how long. */
export function NewToken({ onMade }: { onMade: (made: TokenMade) => void }) {
  const text = useText({ en, fr });
  const api = useApi();
  const queries = useQueryClient();
  const { grants } = usePerson();
  const looked = useTenant();
  const { data } = useTenants();
  const tenants = data?.tenants.map(({ slug }) => slug) ?? [];
  const [chosen, setChosen] = useState<string | null>(null);
  const tenant = chosen ?? looked ?? (tenants.length === 1 ? (tenants[0] ?? '') : '');
  const [expires, setExpires] = useState('1h');
  const [fault, setFault] = useState<unknown>(null);
  const [working, setWorking] = useState(false);

  if (data !== undefined && tenants.length === 0)
    return (
      <Card title={text.make}>
        <div class="stack-small">
          <p>{text.noTenants}</p>
          <Command text={ADD_TENANT} />
        </div>
      </Card>
    );
  const offBecause = () => {
    if (!may(grants, 'admin', tenant === '' ? null : tenant)) return text.needsAdmin;
    return tenant === '' ? text.chooseTenant : null;
  };
  const make = async () => {
    setWorking(true);
    setFault(null);
    try {
      const made = await api.send<TokenMade>('POST', '/api/tokens', { tenant, expires });
      await queries.invalidateQueries({ queryKey: ['tokens'] });
      onMade(made);
    } catch (error) {
      setFault(error);
      setWorking(false);
    }
  };
  const off = offBecause();
  return (
    <Card title={text.make}>
      <form
        class="token-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (off === null && !working) void make();
        }}
      >
        <Field label={text.tenant}>
          {(field) => (
            <select
              {...field}
              class="input"
              value={tenant}
              onChange={(event) => setChosen(event.currentTarget.value)}
            >
              <option value="">{text.chooseTenant}</option>
              {tenants.map((slug) => (
                <option key={slug} value={slug}>
                  {slug}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={text.expires}>
          {(field) => (
            <select
              {...field}
              class="input"
              value={expires}
              onChange={(event) => setExpires(event.currentTarget.value)}
            >
              {Object.entries(text.durations).map(([value, word]) => (
                <option key={value} value={value}>
                  {word}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Button look="main" type="submit" offBecause={off} disabled={working}>
          {text.make}
        </Button>
      </form>
      {fault === null ? null : <FaultNote fault={fault} />}
    </Card>
  );
}
