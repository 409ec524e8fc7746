import { useTenants } from '../api/queries.ts';
import { Icon } from '../parts/icon.tsx';
import { Menu } from '../parts/menu.tsx';
import { en } from '../text/en/frame.ts';
import { useFormat } from '../text/format.ts';
import { fr } from '../text/fr/frame.ts';
import { useText } from '../text/language.tsx';
import { useParameters, useTenant } from './address.ts';

/** Which tenant is looked at, kept in the address; where there is one, it alone is named. */
export function TenantSwitch() {
  const text = useText({ en, fr });
  const format = useFormat();
  const tenant = useTenant();
  const [, set] = useParameters();
  const { data } = useTenants();
  const slugs = (data?.tenants ?? []).map(({ slug }) => slug);
  // A page of a list that another tenant does not have would be empty.
  const choose = (next: string | null) => set({ tenant: next, offset: null, before: null });
  // Its place is kept, so that the navigation below does not move when the tenants come.
  if (slugs.length < 2 && tenant === null)
    return (
      <div class="tenant-switch">{slugs.length === 0 ? null : <OnlyTenant slug={slugs[0] ?? ''} />}</div>
    );
  return (
    <div class="tenant-switch">
      <Menu
        label={`${text.tenant}${format.colon}${tenant ?? text.allTenants}`}
        word={
          <>
            <span class="one-line">{tenant ?? text.allTenants}</span>
            <Icon name="down" size={14} />
          </>
        }
        icon="tenant"
        atStart
        items={[null, ...slugs].map((slug) => ({
          id: slug ?? '*',
          word: slug ?? text.allTenants,
          chosen: slug === tenant,
          onChoose: () => choose(slug),
        }))}
      />
    </div>
  );
}

/** Nothing to choose, and worth knowing. */
function OnlyTenant({ slug }: { slug: string }) {
  const text = useText({ en, fr });
  const format = useFormat();
  return (
    <p class="only-tenant" title={`${text.tenant}${format.colon}${slug}`}>
      <Icon name="tenant" />
      <span class="one-line">{slug}</span>
    </p>
  );
}
