import { useQueryClient } from '@tanstack/preact-query';
import { useState } from 'preact/hooks';
import type { z } from 'zod';
import type { AcceptInvitation, SessionAnswer, SignedIn } from '../../../schemas/console/session.ts';
import { useApi } from '../api/provider.tsx';
import { SESSION_KEY } from '../api/session.ts';
import { useGo } from '../frame/address.ts';
import { Alone } from '../frame/alone.tsx';
import { useCode } from '../frame/code.ts';
import { Button } from '../parts/button.tsx';
import { Field } from '../parts/field.tsx';
import { Note, useFaultText } from '../parts/note.tsx';
import { PasswordField, usePasswordFault } from '../parts/password-field.tsx';
import { en } from '../text/en/sign-in.ts';
import { fr } from '../text/fr/sign-in.ts';
import { useLanguage, useText } from '../text/language.tsx';

/** Somebody who was invited chooses a password; a forgotten one is replaced the same way. */
export default function Invite() {
  const text = useText({ en, fr });
  const faultText = useFaultText();
  const passwordFault = usePasswordFault();
  const { language } = useLanguage();
  const api = useApi();
  const queries = useQueryClient();
  const go = useGo();
  const code = useCode();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [asked, setAsked] = useState(false);
  const [working, setWorking] = useState(false);
  const [fault, setFault] = useState<unknown>(null);
  const wrong = passwordFault(password, '');

  const accept = async () => {
    setAsked(true);
    if (wrong !== null || code === null) return;
    setWorking(true);
    setFault(null);
    const body: z.input<typeof AcceptInvitation> = { code, password, locale: language };
    if (name.trim() !== '') body.name = name;
    try {
      const answer = await api.send<SignedIn>('POST', '/api/invitations/accept', body);
      queries.clear();
      queries.setQueryData(SESSION_KEY, (): SessionAnswer => answer);
      go('/');
    } catch (error) {
      setFault(error);
      setWorking(false);
    }
  };
  if (code === null) {
    return (
      <Alone title={text.invite.title}>
        <Note tone="none" icon="link" title={text.invite.noCode}>
          <p>{text.invite.noCodeMore}</p>
        </Note>
      </Alone>
    );
  }
  return (
    <Alone title={text.invite.title}>
      <p class="quiet">{text.invite.lead}</p>
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
          if (!working) void accept();
        }}
      >
        <Field label={text.invite.name}>
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
        <PasswordField
          fresh
          label={text.newPassword}
          value={password}
          onInput={setPassword}
          fault={asked ? wrong : null}
        />
        <Button look="main" type="submit" disabled={working}>
          {text.invite.action}
        </Button>
      </form>
    </Alone>
  );
}
