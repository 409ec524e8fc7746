import type { ComponentChildren } from 'preact';
import { ApiFault } from '../api/fault.ts';
import { useWords } from '../text/words.ts';
import type { Tone } from './badge.tsx';
import { Button } from './button.tsx';
import { Command } from './copied.tsx';
import { Icon, type IconName } from './icon.tsx';

const NOTE_ICON: Readonly<Record<Tone, IconName>> = {
  ok: 'ready',
  busy: 'info',
  warn: 'warning',
  bad: 'stalled',
  calm: 'suspended',
  none: 'info',
};

/** Something to be told, with a colour for how much it matters. */
export function Note(props: {
  tone: Tone;
  icon?: IconName;
  title?: ComponentChildren;
  side?: ComponentChildren;
  children?: ComponentChildren;
}) {
  return (
    <div class={`note is-${props.tone}`}>
      <Icon name={props.icon ?? NOTE_ICON[props.tone]} />
      <div>
        {props.title === undefined ? null : <p class="note-title">{props.title}</p>}
        {props.children}
      </div>
      {props.side}
    </div>
  );
}

/** A fault in words: what the server said, or what its absence means. */
export function useFaultText(): (fault: unknown) => string {
  const { fault: texts } = useWords();
  return (fault) => {
    if (!(fault instanceof ApiFault)) return String(fault);
    if (fault.code === 'offline') return texts.offline;
    if (fault.code === 'timeout') return texts.timeout;
    if (fault.code === 'not_understood') return `${texts.notUnderstood} (${fault.message})`;
    if (fault.status === 429) return texts.tooMany(fault.retryAfterS);
    const unavailable = fault.unavailable;
    if (unavailable !== null) return texts.unavailable[unavailable];
    return `${fault.message} (${fault.code})`;
  };
}

/** In the place of what could not be loaded. */
export function FaultNote({ fault, onRetry }: { fault: unknown; onRetry?: () => void }) {
  const words = useWords();
  const text = useFaultText();
  const absent = fault instanceof ApiFault && fault.status === 404;
  return (
    <div role="alert">
      <Note
        tone={absent ? 'none' : 'bad'}
        title={absent ? words.fault.notFound : words.fault.title}
        side={
          onRetry === undefined || absent ? undefined : (
            <Button small onClick={onRetry}>
              {words.retry}
            </Button>
          )
        }
      >
        <p class="small">{text(fault)}</p>
      </Note>
    </div>
  );
}

/** Nothing here yet: what would be here, and how it comes to be, with the command to paste. */
export function Empty(props: {
  icon: IconName;
  title: string;
  command?: string;
  action?: ComponentChildren;
  children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <Icon name={props.icon} size={32} />
      <h2>{props.title}</h2>
      {props.children === undefined ? null : <p>{props.children}</p>}
      {props.command === undefined ? null : <Command text={props.command} />}
      {props.action}
    </div>
  );
}

/** The room that something will take, while it loads. */
export function Bones({ lines = 3, block }: { lines?: number; block?: boolean }) {
  const words = useWords();
  return (
    <div class="stack-small" role="status" aria-label={words.loading}>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} class={block === true ? 'bone is-block' : 'bone'} />
      ))}
    </div>
  );
}
