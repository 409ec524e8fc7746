import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';

/** Opens the dialog in front of everything; a press beside it closes it, as Escape does. */
export function useModal(dialog: RefObject<HTMLDialogElement>): void {
  useEffect(() => {
    const element = dialog.current;
    if (element === null) return;
    const beside = (event: MouseEvent) => {
      if (event.target === element) element.close();
    };
    element.showModal();
    element.addEventListener('mousedown', beside);
    return () => element.removeEventListener('mousedown', beside);
  }, [dialog]);
}
