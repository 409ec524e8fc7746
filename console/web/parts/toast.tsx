import { type ComponentChildren, createContext } from 'preact';
import { useCallback, useContext, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useWords } from '../text/words.ts';
import type { Tone } from './badge.tsx';
import { Button } from './button.tsx';
import { Link, type LinkProps } from './link.tsx';
import { Note } from './note.tsx';

const SHOWN_MS = 6_000;
/** With somewhere to go. */
const LINKED_MS = 10_000;
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
/** Told that a dialog has opened; what it returns, that it is closed. */
const CoverContext = createContext<() => () => void>(() => () => {});

/** Short word of what has been done; what went wrong stays until it is closed. */
export function ToastProvider({ children }: { children: ComponentChildren }) {
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const next = useRef(1);
  const seen = useRef(new Set<number>());
  const [dialogs, setDialogs] = useState(0);
  const drop = useCallback((id: number) => {
    seen.current.delete(id);
    setToasts((all) => all.filter((each) => each.id !== id));
  }, []);
  const noteSeen = useCallback((id: number) => void seen.current.add(id), []);
  const show = useMemo(
    (): Say => (tone, text, link) => {
      const id = next.current++;
      setToasts((all) => [...all.slice(1 - AT_MOST), { id, tone, text, link }]);
    },
    [],
  );
  const cover = useCallback(() => {
    setDialogs((count) => count + 1);
    setToasts((all) => all.filter(({ id, tone }) => tone === 'bad' || !seen.current.has(id)));
    return () => setDialogs((count) => count - 1);
  }, []);
  return (
    <ToastContext.Provider value={show}>
      <CoverContext.Provider value={cover}>{children}</CoverContext.Provider>
      <div class="toasts" role="status" aria-live="polite">
        {dialogs > 0
          ? null
          : toasts.map((toast) => <Shown key={toast.id} toast={toast} onSeen={noteSeen} onDrop={drop} />)}
      </div>
    </ToastContext.Provider>
  );
}

/** Its time begins when it is seen: one that is said while a dialog is open waits until that is closed. */
function Shown(props: { toast: Toast; onSeen: (id: number) => void; onDrop: (id: number) => void }) {
  const { toast, onSeen, onDrop } = props;
  const { id, tone, text, link } = toast;
  const words = useWords();
  useEffect(() => {
    onSeen(id);
    if (tone === 'bad') return;
    const timer = setTimeout(() => onDrop(id), link === undefined ? SHOWN_MS : LINKED_MS);
    return () => clearTimeout(timer);
  }, [id, tone, link, onSeen, onDrop]);
  return (
    <div class="toast">
      <Note
        tone={tone}
        title={text}
        side={<Button look="bare" small icon="close" label={words.close} onClick={() => onDrop(id)} />}
      >
        {link === undefined ? null : (
          <Link to={link.to} query={link.query} onClick={() => onDrop(id)}>
            {link.word}
          </Link>
        )}
      </Note>
    </div>
  );
}

/** For what opens in front of everything: toasts that were seen go, and later ones wait until it is closed. */
export function useCover(): void {
  const cover = useContext(CoverContext);
  useEffect(() => cover(), [cover]);
}

/** `toast('ok', '12 agents will reconcile')`, and where that can be seen: `{to: '/runs', word: 'Open the runs'}` */
export function useToast(): Say {
  const show = useContext(ToastContext);
  if (show === null) throw new Error('expected a ToastProvider above');
  return show;
}
