import { useQueryClient } from '@tanstack/preact-query';
import type { SessionAnswer } from '../../../schemas/console/session.ts';
import { useApi } from '../api/provider.tsx';
import { SESSION_KEY, usePerson } from '../api/session.ts';
import { Menu } from '../parts/menu.tsx';
import { useFaultText } from '../parts/note.tsx';
import { useToast } from '../parts/toast.tsx';
import { en } from '../text/en/frame.ts';
import { fr } from '../text/fr/frame.ts';
import { useText } from '../text/language.tsx';
import { useWords } from '../text/words.ts';
import { useGo } from './address.ts';

/** Who one is here, with which roles, and the way out. */
export function PersonMenu({ onShortcuts }: { onShortcuts: () => void }) {
  const text = useText({ en, fr });
  const words = useWords();
  const { person, grants } = usePerson();
  const api = useApi();
  const queries = useQueryClient();
  const toast = useToast();
  const faultText = useFaultText();
  const go = useGo();
  const signOut = async () => {
    try {
      await api.send('DELETE', '/api/session');
    } catch (fault) {
      toast('bad', faultText(fault));
      return;
    }
    queries.clear();
    queries.setQueryData(SESSION_KEY, (): SessionAnswer => ({ signed_in: false, setup_needed: false }));
    go('/sign-in', { tenant: null });
  };
  return (
    <Menu
      label={text.person(person.name)}
      look="bare"
      icon="person"
      word={<span class="person-name one-line">{person.name}</span>}
      head={
        <div class="stack-small">
          <span>
            {text.signedInAs} <strong>{person.name}</strong>
            {person.name === person.login ? null : <> ({person.login})</>}
          </span>
          {grants.map(({ tenant, role }) => (
            <span key={tenant}>
              {words.role[role]} · {tenant === '*' ? text.everyTenant : tenant}
            </span>
          ))}
        </div>
      }
      items={[
        { id: 'settings', word: text.nav.settings, icon: 'settings', onChoose: () => go('/settings') },
        { id: 'shortcuts', word: text.shortcuts, icon: 'keyboard', onChoose: onShortcuts },
        {
          id: 'api',
          word: text.nav.api,
          icon: 'terminal',
          onChoose: () => window.location.assign('/api/docs'),
        },
        { id: 'out', word: text.signOut, icon: 'out', onChoose: () => void signOut() },
      ]}
    />
  );
}
