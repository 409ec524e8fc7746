import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Button } from './button.tsx';
import { Icon, type IconName } from './icon.tsx';

export interface MenuItem {
  readonly id: string;
  readonly word: string;
  readonly icon?: IconName;
  readonly danger?: boolean;
  /** One of several, and whether it is the one. */
  readonly chosen?: boolean;
  /** Why it cannot be chosen now. */
  readonly offBecause?: string | null;
  readonly onChoose: () => void;
}

/** A button that opens a list: arrows move in it, Escape closes it, letters find. */
export function Menu(props: {
  /** What the button says; without `word`, to those who hear it. */
  label: string;
  word?: ComponentChildren;
  icon?: IconName;
  look?: 'main' | 'bare';
  /** Opens to the right of its left edge. */
  atStart?: boolean;
  /** Opens above its button, and to the right: at the foot of the window. */
  up?: boolean;
  small?: boolean;
  head?: ComponentChildren;
  items: readonly MenuItem[];
}) {
  const id = useId();
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const items = rows(list.current);
    (items.find((row) => row.getAttribute('aria-checked') === 'true') ?? items[0])?.focus();
    const away = (event: Event) => {
      if (!place.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', away);
    document.addEventListener('focusin', away);
    return () => {
      document.removeEventListener('pointerdown', away);
      document.removeEventListener('focusin', away);
    };
  }, [open]);
  const close = () => {
    setOpen(false);
    place.current?.querySelector<HTMLElement>('button')?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const items = rows(list.current);
    const at = items.indexOf(document.activeElement as HTMLElement);
    const to = (target: number) => {
      event.preventDefault();
      items[(target + items.length) % items.length]?.focus();
    };
    if (event.key === 'Escape') {
      event.stopPropagation();
      close();
    } else if (event.key === 'ArrowDown') to(at + 1);
    else if (event.key === 'ArrowUp') to(at - 1);
    else if (event.key === 'Home') to(0);
    else if (event.key === 'End') to(-1);
    else if (/^\S$/.test(event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.stopPropagation();
      const next = [...items.slice(at + 1), ...items].find((row) =>
        row.textContent.trim().toLowerCase().startsWith(event.key.toLowerCase()),
      );
      next?.focus();
    }
  };
  return (
    <div class="menu-place" ref={place}>
      <Button
        look={props.look}
        icon={props.icon}
        small={props.small}
        label={props.label}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
      >
        {props.word}
      </Button>
      {open ? (
        <div
          class={`menu${props.atStart === true ? ' is-start' : ''}${props.up === true ? ' is-start is-up' : ''}`}
        >
          {props.head === undefined ? null : <div class="menu-note">{props.head}</div>}
          <div id={id} ref={list} role="menu" tabIndex={-1} aria-label={props.label} onKeyDown={onKeyDown}>
            {props.items.map((item) => (
              <button
                key={item.id}
                type="button"
                class={`menu-item${item.danger === true ? ' is-danger' : ''}`}
                role={item.chosen === undefined ? 'menuitem' : 'menuitemradio'}
                aria-checked={item.chosen}
                aria-disabled={item.offBecause ? true : undefined}
                title={item.offBecause ?? undefined}
                tabIndex={-1}
                onClick={() => {
                  if (item.offBecause) return;
                  close();
                  item.onChoose();
                }}
              >
                {item.chosen === undefined ? null : (
                  <span class="menu-mark">{item.chosen ? <Icon name="check" /> : null}</span>
                )}
                {item.icon === undefined ? null : <Icon name={item.icon} />}
                <span>{item.word}</span>
              </button>
            ))}
          </div>
        </div>
      ) : null}
    </div>
  );
}

function rows(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>('.menu-item') ?? [])];
}
