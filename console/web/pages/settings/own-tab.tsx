import { useQueryClient } from '@tanstack/preact-query';
import { useState } from 'preact/hooks';
import type { SessionAnswer, SignedIn } from '../../../../schemas/console/session.ts';
import { ApiFault } from '../../api/fault.ts';
import { useApi } from '../../api/provider.tsx';
import { SESSION_KEY, usePerson } from '../../api/session.ts';
import { THEMES, useTheme } from '../../frame/theme.ts';
import { Button } from '../../parts/button.tsx';
import { Field } from '../../parts/field.tsx';
import { Note, useFaultText } from '../../parts/note.tsx';
import { Card, Facts } from '../../parts/page.tsx';
import { PasswordField, usePasswordFault } from '../../parts/password-field.tsx';
import { useToast } from '../../parts/toast.tsx';
import { en as frameEn } from '../../text/en/frame.ts';
import { en } from '../../text/en/settings.ts';
import { en as signInEn } from '../../text/en/sign-in.ts';
import { fr as frameFr } from '../../text/fr/frame.ts';
import { fr } from '../../text/fr/settings.ts';
import { fr as signInFr } from '../../text/fr/sign-in.ts';
import { LANGUAGES, useLanguage, useText } from '../../text/language.tsx';
import { useGrantWords } from './grants.tsx';

/** Who one is here, and what is one's own to change. */
export function OwnTab() {
  return (
    <div class="columns">
      <div class="stack">
        <Account />
        <Look />
      </div>
      <Password />
    </div>
  );
}

function Account() {
  const { own: text } = useText({ en, fr });
  const grantWords = useGrantWords();
  const { person, grants } = usePerson();
  return (
    <Card title={text.account}>
      <Facts
        facts={[
          [text.name, person.name],
          [text.login, person.login],
          [
            text.may,
            <ul key="may" class="stack-small">
              {grants.map((grant) => (
                <li key={grant.tenant}>
                  {grantWords(grant)}
                  <span class="quiet small grant-means">{text.means[grant.role]}</span>
                </li>
              ))}
            </ul>,
          ],
        ]}
      />
    </Card>
  );
}

function Look() {
  const { own: text } = useText({ en, fr });
  const frame = useText({ en: frameEn, fr: frameFr });
  const { language, choose } = useLanguage();
  const [theme, setTheme] = useTheme();
  return (
    <Card title={text.look}>
      <div class="stack">
        <Field label={frame.language}>
          {(control) => (
            <select
              {...control}
              class="input"
              value={language}
              onChange={({ currentTarget }) => {
                const next = LANGUAGES.find((each) => each === currentTarget.value);
                if (next !== undefined) choose(next);
              }}
            >
              {LANGUAGES.map((each) => (
                <option key={each} value={each} lang={each}>
                  {frame.languages[each]}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={frame.theme} note={text.lookNote}>
          {(control) => (
            <select
              {...control}
              class="input"
              value={theme}
              onChange={({ currentTarget }) => {
                const next = THEMES.find((each) => each === currentTarget.value);
                if (next !== undefined) setTheme(next);
              }}
            >
              {THEMES.map((each) => (
                <option key={each} value={each}>
                  {frame.themes[each]}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
    </Card>
  );
}

function Password() {
  const { own: text } = useText({ en, fr });
  const signIn = useText({ en: signInEn, fr: signInFr });
  const passwordFault = usePasswordFault();
  const faultText = useFaultText();
  const api = useApi();
  const queries = useQueryClient();
  const toast = useToast();
  const { person } = usePerson();
  const [current, setCurrent] = useState('');
  const [password, setPassword] = useState('');
  const [asked, setAsked] = useState(false);
  const [working, setWorking] = useState(false);
  const [fault, setFault] = useState<unknown>(null);
  const wrong = passwordFault(password, person.login);

  const change = async () => {
    setAsked(true);
    if (wrong !== null || current === '') return;
    setWorking(true);
    setFault(null);
    try {
      const answer = await api.send<SignedIn>('PUT', '/api/session/password', { current, password });
      queries.setQueryData(SESSION_KEY, (): SessionAnswer => answer);
      setCurrent('');
      setPassword('');
      setAsked(false);
      toast('ok', text.changed);
    } catch (error) {
      setFault(error);
    }
    setWorking(false);
  };
  const refused = fault instanceof ApiFault && fault.code === 'password_refused';
  return (
    <Card title={text.password}>
      <form
        class="stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!working) void change();
        }}
      >
        {/* A password keeper keeps what is under this name. */}
        <input
          class="unseen"
          type="text"
          autocomplete="username"
          value={person.login}
          readOnly
          tabIndex={-1}
          aria-hidden="true"
        />
        <PasswordField
          label={text.current}
          value={current}
          onInput={setCurrent}
          fault={refused ? text.wrong : null}
        />
        <PasswordField
          fresh
          label={signIn.newPassword}
          value={password}
          onInput={setPassword}
          fault={asked ? wrong : null}
        />
        {fault === null || refused ? null : (
          <div role="alert">
            <Note tone="bad" title={faultText(fault)} />
          </div>
        )}
        <div>
          <Button look="main" type="submit" disabled={working}>
            {text.change}
          </Button>
        </div>
      </form>
    </Card>
  );
}
