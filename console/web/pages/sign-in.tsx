import { useQueryClient } from '@tanstack/preact-query';
import { useState } from 'preact/hooks';
import { Redirect, useLocation, useSearch } from 'wouter-preact';
import type { SessionAnswer, SignedIn } from '../../../schemas/console/session.ts';
import { ApiFault } from '../api/fault.ts';
import { useApi } from '../api/provider.tsx';
import { SESSION_KEY, useSession } from '../api/session.ts';
import { Alone } from '../frame/alone.tsx';
import { Button } from '../parts/button.tsx';
import { Field } from '../parts/field.tsx';
import { Note, useFaultText } from '../parts/note.tsx';
import { PasswordField } from '../parts/password-field.tsx';
import { en } from '../text/en/sign-in.ts';
import { fr } from '../text/fr/sign-in.ts';
import { useText } from '../text/language.tsx';

export default function SignIn() {
  const text = useText({ en, fr });
  const faultText = useFaultText();
  const api = useApi();
  const queries = useQueryClient();
  const session = useSession();
  const [, navigate] = useLocation();
  const back = backTo(new URLSearchParams(useSearch()).get('back'));
  const [login, setLogin] = useState('');
  const [password, setPassword] = useState('');
  const [working, setWorking] = useState(false);
  const [fault, setFault] = useState<unknown>(null);

  const signIn = async () => {
    setWorking(true);
    setFault(null);
    try {
      const answer = await api.send<SignedIn>('POST', '/api/session', { login, password });
      // Nothing of whoever was here before.
      queries.clear();
      queries.setQueryData(SESSION_KEY, (): SessionAnswer => answer);
      navigate(back ?? '/', { replace: true });
    } catch (error) {
      setFault(error);
      setPassword('');
      setWorking(false);
    }
  };
  const words = () => {
    if (!(fault instanceof ApiFault)) return faultText(fault);
    if (fault.status === 401) return text.signIn.wrong;
    if (fault.status === 429 && fault.retryAfterS !== null) return text.signIn.slow(fault.retryAfterS);
    return faultText(fault);
  };
  if (session.data?.signed_in === true && !working) return <Redirect to={back ?? '/'} replace />;
  return (
    <Alone title={text.signIn.title}>
      {back === null || fault !== null ? null : <p class="quiet">{text.signIn.ended}</p>}
      {fault === null ? null : (
        <div role="alert">
          <Note tone="bad" title={words()} />
        </div>
      )}
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (!working) void signIn();
        }}
      >
        <Field label={text.signIn.login}>
          {(control) => (
            <input
              {...control}
              class="input"
              name="username"
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
              required
              ref={(input) => {
                if (input !== null && document.activeElement === document.body) input.focus();
              }}
              value={login}
              onInput={(event) => setLogin(event.currentTarget.value)}
            />
          )}
        </Field>
        <PasswordField label={text.signIn.password} value={password} onInput={setPassword} />
        <Button look="main" type="submit" disabled={working}>
          {working ? text.signIn.working : text.signIn.action}
        </Button>
      </form>
      <p class="quiet small">{text.signIn.lost}</p>
    </Alone>
  );
}

/** A place of these pages, and nothing else: an address somebody sends must not lead out of here after sign-in. */
function backTo(asked: string | null): string | null {
  if (asked === null) return null;
  const here = window.location.origin;
  const url = URL.parse(asked, here);
  if (url === null || url.origin !== here || !asked.startsWith('/')) return null;
  // `/..//evil.example` is of this origin, and what is left of it would be another host to whoever reads it next.
  return url.pathname.startsWith('//') ? null : url.pathname + url.search;
}
