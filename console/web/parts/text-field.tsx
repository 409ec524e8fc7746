import type { ComponentChildren } from 'preact';
import { Field } from './field.tsx';

/** One line to type: a name, a label, a login. */
export function TextField(props: {
  label: string;
  note?: ComponentChildren;
  fault?: string | null;
  value: string;
  onInput: (value: string) => void;
  /** What a browser may fill in; `username` is a login, which nothing corrects or begins with a capital. Absent: nothing. */
  fill?: 'name' | 'username' | 'login of another';
  maxLength?: number;
}) {
  const { fill } = props;
  const login = fill === 'username' || fill === 'login of another';
  const filled = fill === 'name' || fill === 'username';
  return (
    <Field label={props.label} note={props.note} fault={props.fault}>
      {(control) => (
        <input
          {...control}
          class="input"
          name={filled ? fill : undefined}
          autocomplete={filled ? fill : 'off'}
          autocapitalize={login ? 'none' : undefined}
          spellcheck={login ? false : undefined}
          required={fill === 'username'}
          maxLength={props.maxLength}
          value={props.value}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}
