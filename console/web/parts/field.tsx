import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { Icon } from './icon.tsx';

interface FieldControl {
  readonly id: string;
  readonly 'aria-describedby': string | undefined;
  readonly 'aria-invalid': boolean;
}

/** A labelled control with its note and its fault: `children` gets what ties the three together. */
export function Field(props: {
  label: string;
  note?: ComponentChildren;
  fault?: string | null;
  children: (control: FieldControl) => ComponentChildren;
}) {
  const id = useId();
  const wrong = props.fault !== undefined && props.fault !== null;
  const described = [props.note === undefined ? [] : [`${id}-note`], wrong ? [`${id}-fault`] : []].flat();
  return (
    <div class="field">
      <label class="field-label" for={id}>
        {props.label}
      </label>
      {props.children({
        id,
        'aria-describedby': described.length === 0 ? undefined : described.join(' '),
        'aria-invalid': wrong,
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
