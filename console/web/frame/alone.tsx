import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { Mark } from '../parts/icon.tsx';
import { en } from '../text/en/frame.ts';
import { fr } from '../text/fr/frame.ts';
import { useText } from '../text/language.tsx';
import { Preferences } from './preferences.tsx';

/** A page for those who have not signed in: one card, and how it looks. */
export function Alone({ title, children }: { title: string; children: ComponentChildren }) {
  const text = useText({ en, fr });
  useEffect(() => {
    document.title = `${title} · Edge-Agent`;
  }, [title]);
  return (
    <div class="alone">
      <header class="alone-bar">
        <Preferences />
      </header>
      <main class="alone-main">
        <span class="brand">
          <Mark size={28} />
          {text.product}
        </span>
        <div class="alone-card">
          <h1 tabIndex={-1}>{title}</h1>
          {children}
        </div>
      </main>
    </div>
  );
}
