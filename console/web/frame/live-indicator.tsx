import { useQueryClient } from '@tanstack/preact-query';
import { useEffect, useState } from 'preact/hooks';
import { followChanges, type LiveState } from '../api/live.ts';
import { en } from '../text/en/frame.ts';
import { fr } from '../text/fr/frame.ts';
import { useText } from '../text/language.tsx';
import { useTenant } from './address.ts';

/** Follows the console's changes as long as it is shown. */
export function useLive(): LiveState {
  const queries = useQueryClient();
  const tenant = useTenant();
  const [state, setState] = useState<LiveState>('connecting');
  useEffect(() => followChanges({ tenant, queries, onState: setState }), [tenant, queries]);
  return state;
}

/** Whether what is on the page is what is so. */
export function LiveIndicator({ state }: { state: LiveState }) {
  const text = useText({ en, fr });
  return (
    <span class={`live is-${state}`} role="status" title={text.liveMeans[state]}>
      <span class="live-dot" aria-hidden="true" />
      <span class="live-word">{text.live[state]}</span>
    </span>
  );
}
