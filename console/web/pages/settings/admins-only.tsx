import { usePerson } from '../../api/session.ts';
import { Note } from '../../parts/note.tsx';
import { en } from '../../text/en/settings.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/settings.ts';
import { useText } from '../../text/language.tsx';
import { useGrantWords } from './grants.tsx';

/** In the place of what only admins see: why, and whom to ask. */
export function AdminsOnly({ what }: { what: 'people' | 'keys' }) {
  const { adminsOnly } = useText({ en, fr });
  const format = useFormat();
  const grantWords = useGrantWords();
  const { grants } = usePerson();
  return (
    <Note tone="none" icon="audit" title={adminsOnly[what]}>
      <p>{adminsOnly.more(format.list(grants.map(grantWords)))}</p>
    </Note>
  );
}
