import type { ReleaseRow } from '../../../schemas/console/release.ts';
import { en } from '../text/en/overview.ts';
import { fr } from '../text/fr/overview.ts';
import { useText } from '../text/language.tsx';
import { ProgressBar } from './progress.tsx';

/** How far a release has got: who has it, who is on the way, who cannot, and who has not been heard of with it. */
export function RolloutBar({ agents, legend = true }: { agents: ReleaseRow['agents']; legend?: boolean }) {
  const { shares, rolloutLabel } = useText({ en, fr });
  return (
    <ProgressBar
      label={rolloutLabel(agents.applied, agents.total, agents.held)}
      total={agents.total}
      legend={legend}
      shares={[
        { tone: 'ok', count: agents.applied, word: shares.applied },
        { tone: 'calm', count: agents.held, word: shares.held },
        { tone: 'busy', count: agents.reconciling, word: shares.reconciling },
        { tone: 'bad', count: agents.failing, word: shares.failing },
        { tone: 'none', count: agents.pending, word: shares.pending },
      ]}
    />
  );
}
