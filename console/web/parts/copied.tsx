import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useWords } from '../text/words.ts';
import { Icon } from './icon.tsx';

const SHOWN_MS = 1_600;

/**
 * A small button that puts `text` on the clipboard and says that it has. `what`: in words, for those who do not see it. A text
 * that is long to make is made when it is asked for.
 */
export function Copy({ text, what }: { text: string | (() => string); what?: string }) {
  const words = useWords();
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [done]);
  const label = what === undefined ? words.copy : words.copyOf(what);
  return (
    <button
      type="button"
      class={`copy${done ? ' is-done' : ''}`}
      title={done ? words.copied : label}
      aria-label={done ? words.copied : label}
      onClick={() => void putOnClipboard(typeof text === 'string' ? text : text()).then(setDone)}
    >
      <Icon name={done ? 'check' : 'copy'} size={14} />
    </button>
  );
}

/** Text for machines: whole on hover, and to be copied with `copy`. */
export function Mono({ text, short, copy }: { text: string; short?: string; copy?: boolean }) {
  const shown = (
    <span class="mono one-line" title={short === undefined ? undefined : text}>
      {short ?? text}
    </span>
  );
  if (copy !== true) return shown;
  return (
    <span class="copied-part" data-above>
      {shown}
      <Copy text={text} what={text.length > 40 ? undefined : text} />
    </span>
  );
}

/** A commit (`git:<40 digits>` or the digits), or a bundle's version: seven digits, the whole on hover. */
export function Revision({ revision, copy }: { revision: string | null; copy?: boolean }) {
  const words = useWords();
  if (revision === null) return <span class="quiet">{words.none}</span>;
  return <Mono text={revision} short={shortRevision(revision)} copy={copy} />;
}

/** A version of a flow: the digest that follows it is cut to eight digits. */
export function Version({ version, copy }: { version: string | null; copy?: boolean }) {
  const words = useWords();
  if (version === null) return <span class="quiet">{words.none}</span>;
  const short = version.replace(/([0-9a-f]{8})[0-9a-f]{24,}/, '$1');
  return <Mono text={version} short={short === version ? undefined : short} copy={copy} />;
}

function shortRevision(revision: string): string {
  const digits = /[0-9a-f]{12,}$/.exec(revision)?.[0];
  return digits === undefined ? revision : digits.slice(0, 7);
}

/** A line to paste, with its button. */
export function Command({ text, what }: { text: string; what?: string }) {
  return (
    <div class="command">
      <code>{text}</code>
      <Copy text={text} what={what} />
    </div>
  );
}

/** Text as somebody or something said it, word for word. */
export function Verbatim({ children }: { children: ComponentChildren }) {
  return <span class="verbatim">{children}</span>;
}

async function putOnClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Over plain http browsers give the clipboard to a selection alone.
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'unseen';
    const host = document.querySelector('dialog[open]') ?? document.body;
    host.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}
