import type { Overview } from '../../../../schemas/console/overview.ts';
import { Icon } from '../../parts/icon.tsx';
import { Link } from '../../parts/link.tsx';
import { useFormat } from '../../text/format.ts';
import { useWords } from '../../text/words.ts';

type HeldBack = Overview['held'];

/** The flows by their names as long as these are few, else how many they are. */
export function useHeldFlows({ flows, names }: HeldBack): string {
  const format = useFormat();
  const words = useWords();
  return flows === names.length ? format.list(names) : words.flows(flows);
}

/** Beside what is worse: rolled back by hand, and easily forgotten. */
export function HeldLine({ held }: { held: HeldBack }) {
  const words = useWords();
  const flows = useHeldFlows(held);
  if (held.agents === 0) return null;
  return (
    <p>
      <Link class="held-line" to="/agents" query={{ held: 'yes' }}>
        <Icon name="held" size={14} /> {words.held.agents(held.agents, flows)}
      </Link>
    </p>
  );
}
