import { useState } from 'preact/hooks';
import type { z } from 'zod';
import type { Setup as SetupRequest } from '../../../schemas/console/session.ts';
import { useSession } from '../api/session.ts';
import { Alone } from '../frame/alone.tsx';
import { useCode } from '../frame/code.ts';
import { Command } from '../parts/copied.tsx';
import { Link } from '../parts/link.tsx';
import { Note } from '../parts/note.tsx';
import { TextField } from '../parts/text-field.tsx';
import { en } from '../text/en/sign-in.ts';
import { fr } from '../text/fr/sign-in.ts';
import { useText } from '../text/language.tsx';
import { isLogin } from './sign-in/login.ts';
import { NewPasswordForm } from './sign-in/new-password-form.tsx';

/** The first person of a new console, with the code that the console printed. */
export default function Setup() {
  const text = useText({ en, fr });
  const session = useSession();
  const code = useCode();
  const [login, setLogin] = useState('');
  const wrongLogin = isLogin(login) ? null : text.loginWrong;
  const done = session.data?.signed_in === false && !session.data.setup_needed;
  if (done || session.data?.signed_in === true) {
    return (
      <Alone title={text.setup.title}>
        <p>{text.setup.done}</p>
        <Link class="button is-main" to="/sign-in">
          {text.setup.toSignIn}
        </Link>
      </Alone>
    );
  }
  if (code === null) {
    return (
      <Alone title={text.setup.title}>
        <Note tone="none" icon="tokens" title={text.setup.noCode}>
          <p>{text.setup.noCodeMore}</p>
        </Note>
        <Command text="edge-console person add <login> --role admin --tenant '*'" />
      </Alone>
    );
  }
  return (
    <NewPasswordForm
      title={text.setup.title}
      lead={text.setup.lead}
      nameLabel={text.setup.name}
      action={text.setup.action}
      path="/api/setup"
      bodyOf={(chosen): z.input<typeof SetupRequest> | null =>
        wrongLogin === null ? { code, login, ...chosen } : null
      }
      login={login}
    >
      {(asked) => (
        <TextField
          label={text.signIn.login}
          note={text.loginRule}
          fault={asked ? wrongLogin : null}
          fill="username"
          value={login}
          onInput={setLogin}
        />
      )}
    </NewPasswordForm>
  );
}
