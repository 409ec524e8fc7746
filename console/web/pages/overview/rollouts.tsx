import type { ReleaseRow } from '../../../../schemas/console/release.ts';
import { Revision } from '../../parts/copied.tsx';
import { Link } from '../../parts/link.tsx';
import { Empty } from '../../parts/note.tsx';
import { Card } from '../../parts/page.tsx';
import { RolloutBar } from '../../parts/rollout-bar.tsx';
import { Time } from '../../parts/time.tsx';
import { en } from '../../text/en/overview.ts';
import { fr } from '../../text/fr/overview.ts';
import { useText } from '../../text/language.tsx';

/** Releases that have not reached every agent yet. */
export function RolloutsCard({ releases }: { releases: readonly ReleaseRow[] }) {
  const text = useText({ en, fr });
  return (
    <Card title={text.rollouts} flush>
      {releases.length === 0 ? (
        <Empty icon="releases" title={text.noRollouts}>
          {text.noRolloutsMore}
        </Empty>
      ) : (
        <ul class="rows">
          {releases.map((release) => (
            <li key={`${release.tenant} ${release.revision}`} class="row">
              <div class="row-head">
                <Link
                  class="row-name"
                  to={`/releases/${release.tenant}/${encodeURIComponent(release.revision)}`}
                >
                  {release.commit?.subject ?? release.revision}
                </Link>
                <span class="quiet small">{release.tenant}</span>
                <span class="row-side quiet small">
                  <Time at={release.first_seen_at} />
                </span>
              </div>
              <p class="row-more quiet small">
                <Revision revision={release.revision} />{' '}
                {release.commit === null ? null : text.by(release.commit.author)}
              </p>
              <RolloutBar agents={release.agents} />
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
