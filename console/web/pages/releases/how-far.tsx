import type { ReleaseRow } from '../../../../schemas/console/release.ts';
import { RolloutBar } from '../../parts/rollout-bar.tsx';
import { en } from '../../text/en/releases.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/releases.ts';
import { useText } from '../../text/language.tsx';

/** A former release is nowhere any more once all have gone on: that is no progress of nothing. */
function isGone({ newest, agents: { applied, held, reconciling, failing } }: ReleaseRow): boolean {
  return !newest && applied + held + reconciling + failing === 0;
}

export function Progress({ release }: { release: ReleaseRow }) {
  const text = useText({ en, fr });
  if (isGone(release)) return <span class="quiet small">{text.replaced}</span>;
  return (
    <div class="release-bar">
      <RolloutBar agents={release.agents} legend={false} />
    </div>
  );
}

export function Applied({ release }: { release: ReleaseRow }) {
  const text = useText({ en, fr });
  const format = useFormat();
  const { applied, held, total } = release.agents;
  if (isGone(release)) return <span class="quiet">–</span>;
  return (
    <span class="release-applied">
      {text.applied(format.number(applied), format.number(total))}
      {held === 0 ? null : <span class="quiet small">{text.heldBack(held)}</span>}
    </span>
  );
}
