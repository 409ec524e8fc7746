import { Menu } from '../parts/menu.tsx';
import { en } from '../text/en/frame.ts';
import { fr } from '../text/fr/frame.ts';
import { LANGUAGES, useLanguage, useText } from '../text/language.tsx';
import { THEMES, useTheme } from './theme.ts';

const THEME_ICON = { system: 'screen', light: 'sun', dark: 'moon' } as const;

/** How these pages look to this reader; also to those who have not signed in. */
export function Preferences({ up }: { up?: boolean }) {
  const text = useText({ en, fr });
  const { language, choose } = useLanguage();
  const [theme, setTheme] = useTheme();
  return (
    <>
      <Menu
        label={text.language}
        look="bare"
        icon="language"
        up={up}
        items={LANGUAGES.map((each) => ({
          id: each,
          word: text.languages[each],
          chosen: each === language,
          onChoose: () => choose(each),
        }))}
      />
      <Menu
        label={text.theme}
        look="bare"
        icon={THEME_ICON[theme]}
        up={up}
        items={THEMES.map((each) => ({
          id: each,
          word: text.themes[each],
          icon: THEME_ICON[each],
          chosen: each === theme,
          onChoose: () => setTheme(each),
        }))}
      />
    </>
  );
}
