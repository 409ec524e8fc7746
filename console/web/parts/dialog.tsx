import type { ComponentChildren } from 'preact';
import { useId, useRef } from 'preact/hooks';
import { useWords } from '../text/words.ts';
import { Button } from './button.tsx';
import { useModal } from './modal.ts';
import { useCover } from './toast.tsx';

/** The browser's own modal dialog: it keeps the focus, Escape and a press outside close it, and the focus goes back after. */
export function Dialog(props: {
  title: string;
  onClose: () => void;
  wide?: boolean;
  foot?: ComponentChildren;
  children: ComponentChildren;
}) {
  const words = useWords();
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  useModal(dialog);
  useCover();
  return (
    <dialog
      ref={dialog}
      class={`dialog${props.wide === true ? ' is-wide' : ''}`}
      aria-labelledby={id}
      onClose={props.onClose}
    >
      <header class="dialog-head">
        <h2 id={id}>{props.title}</h2>
        <Button look="bare" icon="close" label={words.close} onClick={() => dialog.current?.close()} />
      </header>
      <div class="dialog-body">{props.children}</div>
      {props.foot === undefined ? null : <footer class="dialog-foot">{props.foot}</footer>}
    </dialog>
  );
}
