import { useId } from 'preact/hooks';
import type { Grant, Role } from '../../../../schemas/console/people.ts';
import { useTenants } from '../../api/queries.ts';
import { may, usePerson } from '../../api/session.ts';
import { Button } from '../../parts/button.tsx';
import { Icon } from '../../parts/icon.tsx';
import { en } from '../../text/en/settings.ts';
import { fr } from '../../text/fr/settings.ts';
import { useText } from '../../text/language.tsx';
import { useWords } from '../../text/words.ts';

const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];
const EVERY = '*';

/** `Operator · acme` */
export function useGrantWords(): (grant: Grant) => string {
  const text = useText({ en, fr });
  const words = useWords();
  return ({ tenant, role }) => `${words.role[role]} · ${tenant === EVERY ? text.everyTenant : tenant}`;
}

export function GrantList({ grants }: { grants: readonly Grant[] }) {
  const grantWords = useGrantWords();
  return (
    <span class="grant-list">
      {grants.map((grant) => (
        <span key={grant.tenant}>{grantWords(grant)}</span>
      ))}
    </span>
  );
}

/** Whether it can be sent: a tenant for each role, none twice. */
export function wholeGrants(grants: readonly Grant[]): boolean {
  const tenants = grants.map(({ tenant }) => tenant);
  return tenants.length > 0 && !tenants.includes('') && new Set(tenants).size === tenants.length;
}

/** Who may do what, tenant by tenant; of the tenants where the one who gives is admin. */
export function GrantsField(props: {
  grants: readonly Grant[];
  onGrants: (grants: readonly Grant[]) => void;
  /** Somebody has tried to send them: what is missing is said. */
  asked: boolean;
}) {
  const { grants, onGrants } = props;
  const { grants: text } = useText({ en, fr });
  const fault = props.asked && !wholeGrants(grants) ? text.missing : null;
  const words = useWords();
  const id = useId();
  const person = usePerson();
  const { data } = useTenants();
  const slugs = (data?.tenants ?? [])
    .map(({ slug }) => slug)
    .filter((slug) => may(person.grants, 'admin', slug));
  const everywhere = person.grants.some(({ tenant, role }) => tenant === EVERY && role === 'admin');
  const put = (place: number, change: Partial<Grant>) =>
    onGrants(grants.map((grant, at) => (at === place ? { ...grant, ...change } : grant)));
  return (
    <fieldset class="grants" aria-describedby={fault !== null ? `${id}-fault` : undefined}>
      <legend class="field-label">{text.label}</legend>
      {grants.map((grant, place) => (
        <div key={place} class="grant">
          <select
            class="input"
            aria-label={text.role(place + 1)}
            value={grant.role}
            onChange={(event) => put(place, { role: event.currentTarget.value as Role })}
          >
            {ROLES.map((role) => (
              <option key={role} value={role}>
                {words.role[role]}
              </option>
            ))}
          </select>
          <select
            class="input"
            aria-label={text.tenant(place + 1)}
            aria-invalid={fault !== null && grant.tenant === ''}
            value={grant.tenant}
            onChange={(event) => put(place, { tenant: event.currentTarget.value })}
          >
            <option value="">{text.choose}</option>
            {everywhere || grant.tenant === EVERY ? <option value={EVERY}>{text.everyTenant}</option> : null}
            {[
              ...new Set([
                ...slugs,
                ...(grant.tenant === '' || grant.tenant === EVERY ? [] : [grant.tenant]),
              ]),
            ].map((slug) => (
              <option key={slug} value={slug}>
                {slug}
              </option>
            ))}
          </select>
          {grants.length < 2 ? null : (
            <Button
              look="bare"
              icon="close"
              label={text.remove(grant.tenant === '' ? text.tenant(place + 1) : grant.tenant)}
              onClick={() => onGrants(grants.filter((_, at) => at !== place))}
            />
          )}
        </div>
      ))}
      {fault !== null ? (
        <p class="field-fault" id={`${id}-fault`} role="alert">
          <Icon name="warning" size={14} />
          {fault}
        </p>
      ) : null}
      <div>
        <Button small icon="plus" onClick={() => onGrants([...grants, { tenant: '', role: 'viewer' }])}>
          {text.add}
        </Button>
      </div>
    </fieldset>
  );
}
