import { useLayoutEffect, useState } from 'preact/hooks';
import { keep, kept } from './kept.ts';

export type Theme = 'system' | 'light' | 'dark';
export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

/** Light or dark: as the system has it, unless the reader has said otherwise. Kept by this browser. */
export function useTheme(): readonly [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(() => THEMES.find((each) => each === kept('theme')) ?? 'system');
  useLayoutEffect(() => showTheme(theme), [theme]);
  const choose = (next: Theme) => {
    keep('theme', next === 'system' ? null : next);
    setTheme(next);
  };
  return [theme, choose];
}

/** Called before anything is drawn, too: no flash of the other one. */
export function showTheme(theme: string | null): void {
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset['theme'] = theme;
  else delete document.documentElement.dataset['theme'];
}
