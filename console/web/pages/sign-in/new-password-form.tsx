import { useQueryClient } from '@tanstack/preact-query';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { SessionAnswer, SignedIn } from '../../../../schemas/console/session.ts';
import { useApi } from '../../api/provider.tsx';
import { SESSION_KEY } from '../../api/session.ts';
import { useGo } from '../../frame/address.ts';
import { Alone } from '../../frame/alone.tsx';
import { Button } from '../../parts/button.tsx';
import { Note, useFaultText } from '../../parts/note.tsx';
import { PasswordField, usePasswordFault } from '../../parts/password-field.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { en } from '../../text/en/sign-in.ts';
import { fr } from '../../text/fr/sign-in.ts';
import { useLanguage, useText } from '../../text/language.tsx';

/** What the form adds to what its page sends; the name where one was typed. */
interface Chosen {
  readonly password: string;
  readonly locale: 'en' | 'fr';
  readonly name?: string;
}

/** Whoever comes with a code chooses a name and a password, and is signed in with the answer. */
export function NewPasswordForm(props: {
  title: string;
  lead: string;
  nameLabel: string;
  action: string;
  path: string;
  /** The body that is sent; null: a field of the page itself is not right, which it says. */
  bodyOf: (chosen: Chosen) => object | null;
  /** What the password must not be. */
  login: string;
  /** Fields of the page itself; `asked`: somebody has tried to send them. */
  children?: (asked: boolean) => ComponentChildren;
}) {
  const text = useText({ en, fr });
  const faultText = useFaultText();
  const passwordFault = usePasswordFault();
  const { language } = useLanguage();
  const api = useApi();
  const queries = useQueryClient();
  const go = useGo();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [asked, setAsked] = useState(false);
  const [working, setWorking] = useState(false);
  const [fault, setFault] = useState<unknown>(null);
  const wrong = passwordFault(password, props.login);

  const send = async () => {
    setAsked(true);
    const body = props.bodyOf({ password, locale: language, ...(name.trim() === '' ? {} : { name }) });
    if (wrong !== null || body === null) return;
    setWorking(true);
    setFault(null);
    try {
      const answer = await api.send<SignedIn>('POST', props.path, body);
      queries.clear();
      queries.setQueryData(SESSION_KEY, (): SessionAnswer => answer);
      go('/');
    } catch (error) {
      setFault(error);
      setWorking(false);
    }
  };
  return (
    <Alone title={props.title}>
      <p class="quiet">{props.lead}</p>
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
          if (!working) void send();
        }}
      >
        <TextField label={props.nameLabel} fill="name" maxLength={100} value={name} onInput={setName} />
        {props.children?.(asked)}
        <PasswordField
          fresh
          label={text.newPassword}
          value={password}
          onInput={setPassword}
          fault={asked ? wrong : null}
        />
        <Button look="main" type="submit" disabled={working}>
          {props.action}
        </Button>
      </form>
    </Alone>
  );
}
