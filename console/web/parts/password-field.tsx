import { useState } from 'preact/hooks';
import { en } from '../text/en/sign-in.ts';
import { fr } from '../text/fr/sign-in.ts';
import { useText } from '../text/language.tsx';
import { Button } from './button.tsx';
import { Field } from './field.tsx';

/** As the schema `Password` has it. */
const MIN_CHARACTERS = 12;

/** What is wrong with a new password, in words; null: nothing. */
export function usePasswordFault(): (password: string, login: string) => string | null {
  const text = useText({ en, fr });
  return (password, login) => {
    if (password.length < MIN_CHARACTERS) return text.passwordShort(MIN_CHARACTERS - password.length);
    return login !== '' && password.trim().toLowerCase() === login.trim().toLowerCase()
      ? text.passwordIsLogin
      : null;
  };
}

/** A password with a button that shows it: typing it twice is no better, and worse on a phone. */
export function PasswordField(props: {
  label: string;
  value: string;
  onInput: (value: string) => void;
  /** A new one, for which a password keeper makes a proposal. */
  fresh?: boolean;
  fault?: string | null;
}) {
  const text = useText({ en, fr });
  const [shown, setShown] = useState(false);
  return (
    <Field
      label={props.label}
      note={props.fresh === true ? text.passwordRule : undefined}
      fault={props.fault}
    >
      {(control) => (
        <div class="beside">
          <input
            {...control}
            class="input"
            type={shown ? 'text' : 'password'}
            name={props.fresh === true ? 'new-password' : 'password'}
            autocomplete={props.fresh === true ? 'new-password' : 'current-password'}
            required
            maxLength={256}
            value={props.value}
            onInput={(event) => props.onInput(event.currentTarget.value)}
          />
          <Button
            icon="eye"
            label={shown ? text.hide : text.show}
            aria-pressed={shown}
            onClick={() => setShown(!shown)}
          />
        </div>
      )}
    </Field>
  );
}
