import type { ComponentChildren } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { Mark } from '../parts/icon.tsx';
import { Link } from '../parts/link.tsx';
import { en } from '../text/en/frame.ts';
import { fr } from '../text/fr/frame.ts';
import { useText } from '../text/language.tsx';
import { AgentSearch } from './agent-search.tsx';
import { Drawer } from './drawer.tsx';
import { LiveIndicator, useLive } from './live-indicator.tsx';
import { FootNavigation, Navigation } from './navigation.tsx';
import { PersonMenu } from './person-menu.tsx';
import { Preferences } from './preferences.tsx';
import { ShortcutList, useShortcuts } from './shortcuts.tsx';
import { TenantSwitch } from './tenant-switch.tsx';

/** What is around every page once somebody has signed in. */
export function Frame({ children }: { children: ComponentChildren }) {
  const text = useText({ en, fr });
  const live = useLive();
  const [menu, setMenu] = useState(false);
  const [help, setHelp] = useState(false);
  const showHelp = useCallback(() => setHelp(true), []);
  useShortcuts(showHelp);
  return (
    <div class="frame">
      <a class="skip" href="#main" onClick={(event) => skip(event)}>
        {text.skip}
      </a>
      <aside class="side">
        <Brand />
        <TenantSwitch />
        <Navigation />
        <div class="side-foot">
          <LiveIndicator state={live} />
        </div>
      </aside>
      <header class="bar">
        <Brand />
        <TenantSwitch />
        <AgentSearch />
        <span class="bar-room wide-only" />
        <LiveIndicator state={live} />
        <span class="line wide-only">
          <Preferences />
        </span>
        <PersonMenu onShortcuts={showHelp} />
      </header>
      <main class="main" id="main" tabIndex={-1}>
        {children}
      </main>
      <FootNavigation onMore={() => setMenu(true)} />
      {menu ? <Drawer onClose={() => setMenu(false)} /> : null}
      {help ? <ShortcutList onClose={() => setHelp(false)} /> : null}
    </div>
  );
}

function Brand() {
  const text = useText({ en, fr });
  return (
    <Link class="brand" to="/" aria-label={text.product}>
      <Mark />
      <span class="side-word">{text.product}</span>
    </Link>
  );
}

/** Without putting `#main` into the address. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
