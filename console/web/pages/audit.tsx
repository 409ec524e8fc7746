import { Page } from '../parts/page.tsx';
import { en } from '../text/en/frame.ts';
import { fr } from '../text/fr/frame.ts';
import { useText } from '../text/language.tsx';

export default function Audit() {
  const text = useText({ en, fr });
  return <Page title={text.nav.audit}>{text.soon}</Page>;
}
