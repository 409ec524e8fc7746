import { useEffect, useRef, useState } from 'preact/hooks';
import { Dialog } from '../parts/dialog.tsx';
import { moveInRows } from '../parts/table-keys.ts';
import { en } from '../text/en/frame.ts';
import { fr } from '../text/fr/frame.ts';
import { useText } from '../text/language.tsx';
import { useGo } from './address.ts';
import { keep, kept } from './kept.ts';

const SECOND_KEY_MS = 1_000;
const GO_TO: Readonly<Record<string, string>> = {
  o: '/',
  a: '/agents',
  f: '/flows',
  l: '/releases',
  r: '/runs',
  e: '/events',
};

/** Single keys, wherever nobody writes. They can be turned off (WCAG 2.1.4): some speak to their machine. */
export function useShortcuts(onHelp: () => void): void {
  const go = useGo();
  const first = useRef(0);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (kept('shortcuts') === 'off' || document.querySelector('dialog[open]') !== null) return;
      if (target.isContentEditable || target.matches('input:not([type=checkbox]), select, textarea')) return;
      const path = performance.now() - first.current < SECOND_KEY_MS ? GO_TO[event.key] : undefined;
      first.current = event.key === 'g' ? performance.now() : 0;
      if (path !== undefined) go(path);
      else if (event.key === '/') document.getElementById('agent-search')?.focus();
      else if (event.key === '?') onHelp();
      else if (!moveInRows(event.key, target)) return;
      event.preventDefault();
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, [go, onHelp]);
}

export function ShortcutList({ onClose }: { onClose: () => void }) {
  const text = useText({ en, fr });
  const [on, setOn] = useState(() => kept('shortcuts') !== 'off');
  return (
    <Dialog title={text.shortcuts} onClose={onClose}>
      <dl class="facts">
        {text.shortcutList.map(([keys, does]) => (
          <>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{does}</dd>
          </>
        ))}
      </dl>
      <label class="line">
        <input
          type="checkbox"
          class="check"
          aria-label={text.shortcutsOn}
          checked={on}
          onChange={(event) => {
            setOn(event.currentTarget.checked);
            keep('shortcuts', event.currentTarget.checked ? null : 'off');
          }}
        />
        {text.shortcutsOn}
      </label>
    </Dialog>
  );
}
