import type { ComponentChildren } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { ActionDialog } from './action-dialog.tsx';
import type { Asking } from './asking.ts';

/** `const [dialog, ask] = useAsking()`: `ask({action, targets, …})` opens the dialog, which `{dialog}` has to be drawn for. */
export function useAsking(
  onDone: () => void = () => {},
): readonly [ComponentChildren, (asking: Asking) => void] {
  const [asking, setAsking] = useState<Asking | null>(null);
  const ask = useCallback((next: Asking) => setAsking(next), []);
  const dialog =
    asking === null ? null : <ActionDialog asking={asking} onClose={() => setAsking(null)} onDone={onDone} />;
  return [dialog, ask];
}
