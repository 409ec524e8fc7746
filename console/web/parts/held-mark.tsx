import type { HeldFlow } from '../../../schemas/console/agent.ts';
import { useWords } from '../text/words.ts';
import { Badge } from './badge.tsx';

/** Which flows an agent stays off its branch for, as somebody rolled them back by hand; nothing where there are none. */
export function HeldMark({ held }: { held: readonly HeldFlow[] }) {
  const { held: text, flows } = useWords();
  const [first] = held;
  if (first === undefined) return null;
  const each = held.map(({ flow, version, desired, by, why }) => text.more(flow, version, desired, by, why));
  return (
    <span class="held-mark" title={each.join('\n')}>
      <Badge tone="calm" icon="held" plain>
        <span class="one-line">{text.mark(held.length === 1 ? first.flow : flows(held.length))}</span>
      </Badge>
    </span>
  );
}
