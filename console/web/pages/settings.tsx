import { useParameter } from '../frame/address.ts';
import { Page } from '../parts/page.tsx';
import { Tabs } from '../parts/tabs.tsx';
import '../style/settings.css';
import { en } from '../text/en/settings.ts';
import { fr } from '../text/fr/settings.ts';
import { useText } from '../text/language.tsx';
import { AboutTab } from './settings/about-tab.tsx';
import { KeysTab } from './settings/keys-tab.tsx';
import { OwnTab } from './settings/own-tab.tsx';
import { PeopleTab } from './settings/people-tab.tsx';
import { TenantsTab } from './settings/tenants-tab.tsx';

const TABS = ['own', 'people', 'keys', 'tenants', 'about'] as const;
const BODIES = { own: OwnTab, people: PeopleTab, keys: KeysTab, tenants: TenantsTab, about: AboutTab };

/** What one decides for oneself, and what admins decide for all. */
export default function Settings() {
  const text = useText({ en, fr });
  const asked = useParameter('tab');
  const tab = TABS.find((each) => each === asked) ?? 'own';
  const Body = BODIES[tab];
  return (
    <Page title={text.title}>
      <Tabs label={text.tabsLabel} shown={tab} tabs={TABS.map((id) => ({ id, title: text.tabs[id] }))} />
      <Body />
    </Page>
  );
}
