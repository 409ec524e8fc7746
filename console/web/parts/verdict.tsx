import type { ComponentChildren } from 'preact';
import type { Verdict } from '../../../schemas/console/overview.ts';
import type { Tone } from './badge.tsx';
import { Icon, type IconName } from './icon.tsx';

const LOOK: Readonly<Record<Verdict['level'], { tone: Tone; icon: IconName }>> = {
  ok: { tone: 'ok', icon: 'ready' },
  calm: { tone: 'calm', icon: 'held' },
  busy: { tone: 'busy', icon: 'reconciling' },
  attention: { tone: 'warn', icon: 'warning' },
  bad: { tone: 'bad', icon: 'stalled' },
  empty: { tone: 'none', icon: 'info' },
};

/** One sentence for the whole, on top of a page; `children`: what is behind it. Read out when it changes. */
export function VerdictBanner(props: {
  level: Verdict['level'];
  text: string;
  children?: ComponentChildren;
  side?: ComponentChildren;
}) {
  const { tone, icon } = LOOK[props.level];
  return (
    <section class={`verdict is-${tone}`} role="status">
      <Icon name={icon} size={24} turning={props.level === 'busy'} />
      <div>
        <p class="verdict-text">{props.text}</p>
        {props.children === undefined ? null : <div class="verdict-more">{props.children}</div>}
      </div>
      {props.side === undefined ? null : <div class="verdict-side">{props.side}</div>}
    </section>
  );
}
