import type { z } from 'zod';
import type { AcceptInvitation } from '../../../schemas/console/session.ts';
import { Alone } from '../frame/alone.tsx';
import { useCode } from '../frame/code.ts';
import { Note } from '../parts/note.tsx';
import { en } from '../text/en/sign-in.ts';
import { fr } from '../text/fr/sign-in.ts';
import { useText } from '../text/language.tsx';
import { NewPasswordForm } from './sign-in/new-password-form.tsx';

/** Somebody who was invited chooses a password; a forgotten one is replaced the same way. */
export default function Invite() {
  const { invite: text } = useText({ en, fr });
  const code = useCode();
  if (code === null) {
    return (
      <Alone title={text.title}>
        <Note tone="none" icon="link" title={text.noCode}>
          <p>{text.noCodeMore}</p>
        </Note>
      </Alone>
    );
  }
  return (
    <NewPasswordForm
      title={text.title}
      lead={text.lead}
      nameLabel={text.name}
      action={text.action}
      path="/api/invitations/accept"
      bodyOf={(chosen): z.input<typeof AcceptInvitation> => ({ code, ...chosen })}
      login=""
    />
  );
}
