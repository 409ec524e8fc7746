import type { ComponentChildren, JSX } from 'preact';
import { Icon, type IconName } from './icon.tsx';

export interface ButtonProps extends Omit<JSX.IntrinsicElements['button'], 'size' | 'icon' | 'type'> {
  /** `main`: the one thing to do here; `danger`: cannot be taken back; `bare`: in a bar of many. */
  look?: 'main' | 'danger' | 'bare';
  small?: boolean;
  icon?: IconName;
  turning?: boolean;
  /** With an icon alone: what it does, in words. */
  label?: string;
  /** Why it cannot be pressed now: it stays reachable, and says so. */
  offBecause?: string | null;
  /** Pressed all the same: to show where what is missing has to go. */
  onOff?: () => void;
  type?: 'button' | 'submit';
  children?: ComponentChildren;
}

export function Button(props: ButtonProps) {
  const {
    look,
    small,
    icon,
    turning,
    label,
    offBecause,
    onOff,
    children,
    class: more,
    onClick,
    ...rest
  } = props;
  const off = offBecause !== undefined && offBecause !== null;
  const classes = ['button'];
  if (look !== undefined) classes.push(`is-${look}`);
  if (small === true) classes.push('is-small');
  if (children === undefined) classes.push('is-icon');
  if (typeof more === 'string') classes.push(more);
  return (
    <button
      {...rest}
      type={props.type ?? 'button'}
      class={classes.join(' ')}
      aria-label={label}
      aria-disabled={off ? true : undefined}
      title={off ? offBecause : (props.title ?? label)}
      onClick={
        off
          ? (event) => {
              event.preventDefault();
              onOff?.();
            }
          : onClick
      }
    >
      {icon === undefined ? null : <Icon name={icon} turning={turning} />}
      {children}
    </button>
  );
}
