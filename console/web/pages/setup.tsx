import { useQueryClient } from '@tanstack/preact-query';
import { useState } from 'preact/hooks';
import type { z } from 'zod';
import type { SessionAnswer, Setup as SetupRequest, SignedIn } from '../../../schemas/console/session.ts';
import { useApi } from '../api/provider.tsx';
import { SESSION_KEY, useSession } from '../api/session.ts';
import { useGo } from '../frame/address.ts';
import { Alone } from '../frame/alone.tsx';
import { useCode } from '../frame/code.ts';
import { Button } from '../parts/button.tsx';
import { Command } from '../parts/copied.tsx';
import { Field } from '../parts/field.tsx';
import { Link } from '../parts/link.tsx';
import { Note, useFaultText } from '../parts/note.tsx';
import { PasswordField, usePasswordFault } from '../parts/password-field.tsx';
import { en } from '../text/en/sign-in.ts';
import { fr } from '../text/fr/sign-in.ts';
import { useLanguage, useText } from '../text/language.tsx';

const LOGIN = /^[a-z0-9][a-z0-9._%+@-]{0,127}$/;

/** The first person of a new console, with the code that the console printed. */
export default function Setup() {
  const text = useText({ en, fr });
  const faultText = useFaultText();
  const passwordFault = usePasswordFault();
  const { language } = useLanguage();
  const api = useApi();
  const queries = useQueryClient();
  const session = useSession();
  const go = useGo();
  const code = useCode();
  const [name, setName] = useState('');
  const [login, setLogin] = useState('');
  const [password, setPassword] = useState('');
  const [asked, setAsked] = useState(false);
  const [working, setWorking] = useState(false);
  const [fault, setFault] = useState<unknown>(null);
  const wrongLogin = LOGIN.test(login.trim().toLowerCase()) ? null : text.loginWrong;
  const wrongPassword = passwordFault(password, login);

  const setUp = async () => {
    setAsked(true);
    if (wrongLogin !== null || wrongPassword !== null || code === null) return;
    setWorking(true);
    setFault(null);
    const body: z.input<typeof SetupRequest> = { code, login, password, locale: language };
    if (name.trim() !== '') body.name = name;
    try {
      const answer = await api.send<SignedIn>('POST', '/api/setup', body);
      queries.clear();
      queries.setQueryData(SESSION_KEY, (): SessionAnswer => answer);
      go('/');
    } catch (error) {
      setFault(error);
      setWorking(false);
    }
  };
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
    <Alone title={text.setup.title}>
      <p class="quiet">{text.setup.lead}</p>
      {fault === null ? null : (
        <div role="alert">
          <Note tone="bad" title={faultText(fault)} />
        </div>
      )}
      <form
        class="stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!working) void setUp();
        }}
      >
        <Field label={text.setup.name}>
          {(control) => (
            <input
              {...control}
              class="input"
              name="name"
              autocomplete="name"
              maxLength={100}
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label={text.signIn.login} note={text.loginRule} fault={asked ? wrongLogin : null}>
          {(control) => (
            <input
              {...control}
              class="input"
              name="username"
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
              required
              value={login}
              onInput={(event) => setLogin(event.currentTarget.value)}
            />
          )}
        </Field>
        <PasswordField
          fresh
          label={text.newPassword}
          value={password}
          onInput={setPassword}
          fault={asked ? wrongPassword : null}
        />
        <Button look="main" type="submit" disabled={working}>
          {text.setup.action}
        </Button>
      </form>
    </Alone>
  );
}
