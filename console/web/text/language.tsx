import { type ComponentChildren, createContext } from 'preact';
import { useContext, useLayoutEffect, useMemo, useState } from 'preact/hooks';
import { keep, kept } from '../frame/kept.ts';

export type Language = 'en' | 'fr';
export const LANGUAGES: readonly Language[] = ['en', 'fr'];

interface Chosen {
  readonly language: Language;
  /** Null: what the browser asks for. */
  readonly choose: (language: Language) => void;
}

const LanguageContext = createContext<Chosen | null>(null);

/** The reader's own choice, else the first of the browser's languages that we have, else English. */
export function LanguageProvider({ children }: { children: ComponentChildren }) {
  const [language, setLanguage] = useState<Language>(() => {
    const wanted = [kept('language') ?? '', ...navigator.languages].map((each) => each.slice(0, 2));
    return wanted.flatMap((each) => LANGUAGES.filter((ours) => ours === each))[0] ?? 'en';
  });
  useLayoutEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const chosen = useMemo<Chosen>(
    () => ({
      language,
      choose: (next) => {
        keep('language', next);
        setLanguage(next);
      },
    }),
    [language],
  );
  return <LanguageContext.Provider value={chosen}>{children}</LanguageContext.Provider>;
}

export function useLanguage(): Chosen {
  const chosen = useContext(LanguageContext);
  if (chosen === null) throw new Error('expected a LanguageProvider above');
  return chosen;
}

/**
 * The texts of an area in the reader's language: `const text = useText({ en, fr })`, where `fr` has the type of `en`
 * (text/fr/<area>.ts: `export const fr: typeof en`), so that a text which one of them lacks is a type error.
 */
export function useText<Texts>(area: Readonly<Record<Language, Texts>>): Texts {
  return area[useLanguage().language];
}
