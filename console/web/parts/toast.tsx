import { type ComponentChildren, createContext } from 'preact';
import { useCallback, useContext, useMemo, useRef, useState } from 'preact/hooks';
import { useWords } from '../text/words.ts';
import type { Tone } from './badge.tsx';
import { Button } from './button.tsx';
import { Link, type LinkProps } from './link.tsx';
import { Note } from './note.tsx';

const SHOWN_MS = 6_000;
/** With somewhere to go. */
const LINKED_MS = 15_000;
const AT_MOST = 4;

/** Where what was done can be seen. */
export interface ToastLink extends Pick<LinkProps, 'to' | 'query'> {
  readonly word: string;
}

type Say = (tone: Tone, text: string, link?: ToastLink) => void;

interface Toast {
  readonly id: number;
  readonly tone: Tone;
  readonly text: string;
  readonly link: ToastLink | undefined;
}

const ToastContext = createContext<Say | null>(null);

/** Short word of what has been done; what went wrong stays until it is closed. */
export function ToastProvider({ children }: { children: ComponentChildren }) {
  const words = useWords();
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const next = useRef(1);
  const drop = useCallback((id: number) => setToasts((all) => all.filter((each) => each.id !== id)), []);
  const show = useMemo(
    (): Say => (tone, text, link) => {
      const id = next.current++;
      setToasts((all) => [...all.slice(1 - AT_MOST), { id, tone, text, link }]);
      if (tone !== 'bad') setTimeout(() => drop(id), link === undefined ? SHOWN_MS : LINKED_MS);
    },
    [drop],
  );
  return (
    <ToastContext.Provider value={show}>
      {children}
      <div class="toasts" role="status" aria-live="polite">
        {toasts.map(({ id, tone, text, link }) => (
          <div key={id} class="toast">
            <Note
              tone={tone}
              title={text}
              side={<Button look="bare" small icon="close" label={words.close} onClick={() => drop(id)} />}
            >
              {link === undefined ? null : (
                <Link to={link.to} query={link.query} onClick={() => drop(id)}>
                  {link.word}
                </Link>
              )}
            </Note>
          </div>
        ))}
      </div>
    </ToastContext.Provider>
  );
}

/** `toast('ok', '12 agents will reconcile')`, and where that can be seen: `{to: '/runs', word: 'Open the runs'}` */
export function useToast(): Say {
  const show = useContext(ToastContext);
  if (show === null) throw new Error('expected a ToastProvider above');
  return show;
}
