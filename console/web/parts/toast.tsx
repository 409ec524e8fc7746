import { type ComponentChildren, createContext } from 'preact';
import { useCallback, useContext, useMemo, useRef, useState } from 'preact/hooks';
import { useWords } from '../text/words.ts';
import type { Tone } from './badge.tsx';
import { Button } from './button.tsx';
import { Note } from './note.tsx';

const SHOWN_MS = 6_000;
const AT_MOST = 4;

interface Toast {
  readonly id: number;
  readonly tone: Tone;
  readonly text: string;
}

const ToastContext = createContext<((tone: Tone, text: string) => void) | null>(null);

/** Short word of what has been done; what went wrong stays until it is closed. */
export function ToastProvider({ children }: { children: ComponentChildren }) {
  const words = useWords();
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const next = useRef(1);
  const drop = useCallback((id: number) => setToasts((all) => all.filter((each) => each.id !== id)), []);
  const show = useMemo(
    () => (tone: Tone, text: string) => {
      const id = next.current++;
      setToasts((all) => [...all.slice(1 - AT_MOST), { id, tone, text }]);
      if (tone !== 'bad') setTimeout(() => drop(id), SHOWN_MS);
    },
    [drop],
  );
  return (
    <ToastContext.Provider value={show}>
      {children}
      <div class="toasts" role="status" aria-live="polite">
        {toasts.map(({ id, tone, text }) => (
          <div key={id} class="toast">
            <Note
              tone={tone}
              title={text}
              side={<Button look="bare" small icon="close" label={words.close} onClick={() => drop(id)} />}
            />
          </div>
        ))}
      </div>
    </ToastContext.Provider>
  );
}

/** `toast('ok', '12 agents will reconcile')` */
export function useToast(): (tone: Tone, text: string) => void {
  const show = useContext(ToastContext);
  if (show === null) throw new Error('expected a ToastProvider above');
  return show;
}
