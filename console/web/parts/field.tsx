import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { useWords } from '../text/words.ts';
import { Icon } from './icon.tsx';

interface FieldControl {
  readonly id: string;
  readonly 'aria-describedby': string | undefined;
  readonly 'aria-invalid': boolean;
  readonly 'aria-required': true | undefined;
}

/** A labelled control with its note and its fault: `children` gets what ties the three together. */
export function Field(props: {
  label: string;
  note?: ComponentChildren;
  fault?: string | null;
  /** Said beside the label, and to those who hear it. */
  required?: boolean;
  children: (control: FieldControl) => ComponentChildren;
}) {
  const words = useWords();
  const id = useId();
  const wrong = props.fault !== undefined && props.fault !== null;
  const described = [props.note === undefined ? [] : [`${id}-note`], wrong ? [`${id}-fault`] : []].flat();
  return (
    <div class="field">
      <label class="field-label" for={id}>
        {props.label}
        {props.required === true ? <span class="field-required"> ({words.required})</span> : null}
      </label>
      {props.children({
        id,
        'aria-describedby': described.length === 0 ? undefined : described.join(' '),
        'aria-invalid': wrong,
        'aria-required': props.required === true ? true : undefined,
      })}
      {wrong ? (
        <p class="field-fault" id={`${id}-fault`} role="alert">
          <Icon name="warning" size={14} />
          {props.fault}
        </p>
      ) : null}
      {props.note === undefined ? null : (
        <p class="field-note" id={`${id}-note`}>
          {props.note}
        </p>
      )}
    </div>
  );
}
