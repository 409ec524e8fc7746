import { useLocation } from 'wouter-preact';
import { useMay } from '../api/session.ts';
import { Icon, type IconName } from '../parts/icon.tsx';
import { Link } from '../parts/link.tsx';
import { en } from '../text/en/frame.ts';
import { fr } from '../text/fr/frame.ts';
import { useText } from '../text/language.tsx';

interface Place {
  readonly name: Exclude<keyof typeof en.nav, 'api'>;
  readonly path: string;
}

const DAILY: readonly Place[] = [
  { name: 'overview', path: '/' },
  { name: 'agents', path: '/agents' },
  { name: 'flows', path: '/flows' },
  { name: 'releases', path: '/releases' },
  { name: 'runs', path: '/runs' },
];
const HISTORY: readonly Place[] = [
  { name: 'events', path: '/events' },
  { name: 'audit', path: '/audit' },
];
const UPKEEP: readonly Place[] = [
  { name: 'tokens', path: '/tokens' },
  { name: 'settings', path: '/settings' },
];
const ON_PHONE = DAILY.filter(({ name }) => name !== 'flows');

/** Whether the page is `path` or below it; the pages of one run are runs, though their address begins as an agent's. */
function isHere(location: string, path: string): boolean {
  const page = /^\/agents\/[^/]+\/runs\//.test(location) ? '/runs' : location;
  return path === '/' ? page === '/' : page === path || page.startsWith(`${path}/`);
}

function PlaceLink({ name, path, look }: Place & { look: 'side-link' | 'foot-link' }) {
  const text = useText({ en, fr });
  const [location] = useLocation();
  const icon: IconName = name;
  return (
    <Link
      to={path}
      class={look}
      title={look === 'side-link' ? text.nav[name] : undefined}
      aria-current={isHere(location, path) ? 'page' : undefined}
    >
      <Icon name={icon} size={look === 'foot-link' ? 20 : 16} />
      <span class={look === 'side-link' ? 'side-word' : undefined}>{text.nav[name]}</span>
    </Link>
  );
}

/** Every page there is, in groups: what one looks at daily, what has been, and what one does now and then. */
export function Navigation() {
  const text = useText({ en, fr });
  // Tokens are an admin's; to the others the page could only say so.
  const admin = useMay('admin');
  const upkeep = UPKEEP.filter(({ name }) => name !== 'tokens' || admin);
  return (
    <nav aria-label={text.navigation}>
      {[DAILY, HISTORY, upkeep].map((places) => (
        <div key={places[0]?.name} class="side-group">
          {places.map((place) => (
            <PlaceLink key={place.name} {...place} look="side-link" />
          ))}
        </div>
      ))}
    </nav>
  );
}

/** On a phone: the pages one looks at most, under the thumb, and the way to the others. */
export function FootNavigation({ onMore }: { onMore: () => void }) {
  const text = useText({ en, fr });
  return (
    <nav class="foot" aria-label={text.navigation}>
      {ON_PHONE.map((place) => (
        <PlaceLink key={place.name} {...place} look="foot-link" />
      ))}
      <button type="button" class="foot-link" aria-haspopup="dialog" onClick={onMore}>
        <Icon name="menu" size={20} />
        <span>{text.menu}</span>
      </button>
    </nav>
  );
}
