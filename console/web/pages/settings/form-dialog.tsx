import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Note, useFaultText } from '../../parts/note.tsx';
import { useWords } from '../../text/words.ts';

/** A form that does one thing when it is sent: what goes wrong is said in it, and it stays. */
export function FormDialog(props: {
  title: string;
  action: string;
  danger?: boolean;
  wide?: boolean;
  /** False: a field is not filled in, which the form says itself. */
  onSend: () => Promise<boolean>;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const words = useWords();
  const faultText = useFaultText();
  const form = useId();
  const [working, setWorking] = useState(false);
  const [fault, setFault] = useState<unknown>(null);
  const send = async () => {
    setWorking(true);
    setFault(null);
    try {
      if (await props.onSend()) props.onClose();
    } catch (error) {
      setFault(error);
    }
    setWorking(false);
  };
  return (
    <Dialog
      title={props.title}
      wide={props.wide}
      onClose={props.onClose}
      foot={
        <>
          <Button onClick={props.onClose}>{words.cancel}</Button>
          <Button
            look={props.danger === true ? 'danger' : 'main'}
            type="submit"
            form={form}
            disabled={working}
          >
            {props.action}
          </Button>
        </>
      }
    >
      <form
        id={form}
        class="stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!working) void send();
        }}
      >
        {props.children}
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
