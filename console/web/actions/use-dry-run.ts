import { useEffect, useState } from 'preact/hooks';
import type { ActionAnswer } from '../../../schemas/console/action.ts';
import { useApi } from '../api/provider.tsx';
import { type Asking, type Draft, requestOf } from './asking.ts';

export type Dry =
  | { readonly kind: 'flow_missing' | 'inputs_malformed' | 'looking' }
  | { readonly kind: 'fault'; readonly fault: unknown }
  | { readonly kind: 'told'; readonly answer: ActionAnswer };

const TYPING_MS = 300;
/** The reason is not known yet, and a dry run writes none. */
const NO_REASON = 'dry run';

/** What the console says would happen, asked again a moment after the last change of a field. */
export function useDryRun(asking: Asking, draft: Draft): Dry {
  const api = useApi();
  const [dry, setDry] = useState<Dry>({ kind: 'looking' });
  useEffect(() => {
    const written = requestOf(asking, draft, NO_REASON, new Date());
    if (written.kind !== 'request') {
      setDry(written);
      return;
    }
    setDry({ kind: 'looking' });
    const ended = new AbortController();
    const timer = setTimeout(() => {
      api
        .send<ActionAnswer>(
          'POST',
          '/api/actions',
          { ...written.request, dry_run: true },
          { signal: ended.signal },
        )
        .then(
          (answer) => setDry({ kind: 'told', answer }),
          (fault: unknown) => {
            if (!ended.signal.aborted) setDry({ kind: 'fault', fault });
          },
        );
    }, TYPING_MS);
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [api, asking, draft]);
  return dry;
}
