import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';

/**
 * Opens the dialog in front of everything; a press beside it closes it, as Escape does. The focus goes back to where it was, also
 * when the dialog is taken away without having been closed, and to the page where that is gone.
 */
export function useModal(dialog: RefObject<HTMLDialogElement>): void {
  useEffect(() => {
    const element = dialog.current;
    if (element === null) return;
    const beside = (event: MouseEvent) => {
      if (event.target === element) element.close();
    };
    element.showModal();
    element.addEventListener('mousedown', beside);
    return () => {
      element.removeEventListener('mousedown', beside);
      // The browser gives the focus back at `close` alone. Whoever takes the dialog away knows it: nobody has to hear of it.
      element.addEventListener('close', (event) => event.stopImmediatePropagation(), { capture: true });
      if (element.open) element.close();
      setTimeout(() => {
        if (document.activeElement === document.body)
          document.getElementById('main')?.focus({ preventScroll: true });
      });
    };
  }, [dialog]);
}
