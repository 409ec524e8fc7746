import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { useWords } from '../text/words.ts';
import { Button } from './button.tsx';
import { Dialog } from './dialog.tsx';
import { Field } from './field.tsx';
import { Note, useFaultText } from './note.tsx';

const REASON_MAX = 256;

export interface ConfirmActionProps {
  /** As `Roll back 12 agents`. */
  title: string;
  /** The word on the button, as `Roll back`. */
  action: string;
  /** It cannot be taken back, or interrupts somebody. */
  danger?: boolean;
  /** What will happen, in words, from a dry run: null while it is being looked up. */
  outcome: ComponentChildren | null;
  /** Why it cannot be done at all. */
  offBecause?: string | null;
  /** Fields of this action, above the reason. */
  children?: ComponentChildren;
  /** Does it. What it throws is shown in the dialog, which stays. */
  onConfirm: (reason: string) => Promise<void>;
  onClose: () => void;
}

/** Asks for a reason and says what will happen, before anything does. */
export function ConfirmAction(props: ConfirmActionProps) {
  const words = useWords();
  const faultText = useFaultText();
  const [reason, setReason] = useState('');
  const [missing, setMissing] = useState(false);
  const [working, setWorking] = useState(false);
  const [fault, setFault] = useState<unknown>(null);

  const reasonField = useRef<HTMLTextAreaElement>(null);

  const confirm = async () => {
    if (reason.trim() === '') {
      askForReason();
      return;
    }
    setWorking(true);
    setFault(null);
    try {
      await props.onConfirm(reason.trim());
      props.onClose();
    } catch (error) {
      setFault(error);
      setWorking(false);
    }
  };
  const askForReason = () => {
    setMissing(true);
    reasonField.current?.focus();
  };
  const off = props.offBecause ?? (props.outcome === null ? words.confirm.looking : null);
  /** Why the button is off, in words beside it. */
  const why = off ?? (reason.trim() === '' ? words.confirm.reasonFirst : null);
  return (
    <Dialog
      title={props.title}
      onClose={props.onClose}
      foot={
        <>
          {why === null ? null : (
            <p class="dialog-why" id="confirm-why">
              {why}
            </p>
          )}
          <Button onClick={props.onClose}>{words.cancel}</Button>
          <Button
            look={props.danger === true ? 'danger' : 'main'}
            disabled={working}
            offBecause={why}
            onOff={off === null ? askForReason : undefined}
            aria-describedby={why === null ? undefined : 'confirm-why'}
            type="submit"
            form="confirm-action"
          >
            {props.action}
          </Button>
        </>
      }
    >
      <form
        id="confirm-action"
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (off === null && !working) void confirm();
        }}
      >
        <div class="stack-small">
          <h3>{words.confirm.willHappen}</h3>
          <div aria-live="polite">{props.outcome ?? <p class="quiet">{words.confirm.looking}</p>}</div>
        </div>
        {props.children}
        <Field
          label={words.confirm.reason}
          required
          note={words.confirm.reasonNote}
          fault={missing && reason.trim() === '' ? words.confirm.reasonMissing : null}
        >
          {(field) => (
            <textarea
              {...field}
              ref={reasonField}
              class="input"
              rows={2}
              maxLength={REASON_MAX}
              value={reason}
              onInput={(event) => setReason(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === 'Enter' && (event.ctrlKey || event.metaKey))
                  event.currentTarget.form?.requestSubmit();
              }}
            />
          )}
        </Field>
        {fault === null ? null : (
          <div role="alert">
            <Note tone="bad" title={words.fault.saved}>
              {faultText(fault)}
            </Note>
          </div>
        )}
      </form>
    </Dialog>
  );
}
