import type { ReleaseDetail } from '../../../schemas/console/release.ts';
import { useRelease } from '../api/queries.ts';
import type { PageParameters } from '../frame/lazy-page.tsx';
import { Revision } from '../parts/copied.tsx';
import { Link } from '../parts/link.tsx';
import { Bones, FaultNote } from '../parts/note.tsx';
import { Card, Facts, Page } from '../parts/page.tsx';
import { Sparkline } from '../parts/progress.tsx';
import { RolloutBar } from '../parts/rollout-bar.tsx';
import { Time } from '../parts/time.tsx';
import { VerdictBanner } from '../parts/verdict.tsx';
import '../style/releases.css';
import { en } from '../text/en/releases.ts';
import { useFormat } from '../text/format.ts';
import { fr } from '../text/fr/releases.ts';
import { useText } from '../text/language.tsx';
import { ManifestCard } from './release/manifest.tsx';
import { ProblemsCard } from './release/problems.tsx';

/** One release on its way: how far it has got, why it fails where it does, and what it says. */
export default function Release({ params }: PageParameters) {
  const { tenant = '', revision = '' } = params;
  const text = useText({ en, fr });
  const { data, error, refetch } = useRelease(tenant, decodeURIComponent(revision));
  const trail = [{ to: '/releases', title: text.title }];
  if (data === undefined)
    return (
      <Page title={text.title} trail={trail}>
        {error === null ? <Bones lines={10} /> : <FaultNote fault={error} onRetry={() => void refetch()} />}
      </Page>
    );
  const at = decodeURIComponent(revision);
  return (
    <Page title={data.commit?.subject ?? text.noCommit} trail={trail}>
      <Sentence release={data} at={at} />
      {isAnywhere(data) ? (
        <Card>
          <RolloutBar agents={data.agents} />
        </Card>
      ) : null}
      <div class="columns">
        <ProgressCard release={data} />
        <FactsCard release={data} />
      </div>
      {data.problems.length === 0 ? null : <ProblemsCard problems={data.problems} tenant={tenant} />}
      <ManifestCard flows={data.flows} tenant={tenant} />
      <nav class="line" aria-label={text.one.agents}>
        {data.agents.applied === 0 ? null : (
          <Link class="button" to="/agents" query={{ tenant, revision: at, held: 'no' }}>
            {text.one.withIt}
          </Link>
        )}
        {data.agents.held === 0 ? null : (
          <Link class="button" to="/agents" query={{ tenant, revision: at, held: 'yes' }}>
            {text.one.holding}
          </Link>
        )}
        {data.newest ? (
          <>
            <Link class="button" to="/agents" query={{ tenant, state: 'stalled,unhealthy' }}>
              {text.one.stalled}
            </Link>
            <Link class="button" to="/agents" query={{ tenant, state: 'unreachable,waiting' }}>
              {text.one.silent}
            </Link>
          </>
        ) : null}
      </nav>
    </Page>
  );
}

/** A former release that no agent has or wants is a bar of nothing. */
function isAnywhere({ newest, agents: { applied, held, reconciling, failing } }: ReleaseDetail): boolean {
  return newest || applied + held + reconciling + failing > 0;
}

/** `at`: the revision as the address has it. */
function Sentence({ release, at }: { release: ReleaseDetail; at: string }) {
  const { verdict, heldMore, showFailing } = useText({ en, fr }).one;
  const { applied, held, reconciling, failing, pending, total } = release.agents;
  if (!release.newest) return <VerdictBanner level="empty" text={verdict.older(applied + held)} />;
  if (total === 0) return <VerdictBanner level="empty" text={verdict.nobody} />;
  if (failing > 0) return <VerdictBanner level="bad" text={verdict.failing(failing, total)} />;
  if (applied === total) return <VerdictBanner level="ok" text={verdict.everywhere(total)} />;
  if (held > 0 && applied + held === total)
    return (
      <VerdictBanner
        level="calm"
        text={verdict.held(applied, held, total)}
        side={
          <Link class="button" to="/agents" query={{ tenant: release.tenant, revision: at, held: 'yes' }}>
            {showFailing}
          </Link>
        }
      >
        <p class="quiet">{heldMore}</p>
      </VerdictBanner>
    );
  if (reconciling > 0) return <VerdictBanner level="busy" text={verdict.on_its_way(applied, total)} />;
  return <VerdictBanner level="attention" text={verdict.pending(pending, total)} />;
}

function ProgressCard({ release }: { release: ReleaseDetail }) {
  const text = useText({ en, fr });
  const points = release.progress.map((point) => ({ x: Date.parse(point.at), y: point.applied }));
  const first = release.progress[0];
  const last = release.progress.at(-1);
  // Every agent that ever had it: the curve does not fall when they go on to another.
  const reached = last?.applied ?? 0;
  return (
    <Card title={text.one.progress}>
      <div class="progress-chart">
        <Sparkline points={points} label={text.one.progressLabel(reached)} />
        {first === undefined || last === undefined ? (
          <p class="quiet">{text.one.progressNone}</p>
        ) : (
          <p class="progress-axis quiet small">
            <Time at={first.at} clock />
            <span class="number">{text.one.reached(reached)}</span>
            <Time at={last.at} clock />
          </p>
        )}
      </div>
    </Card>
  );
}

function FactsCard({ release }: { release: ReleaseDetail }) {
  const text = useText({ en, fr });
  const format = useFormat();
  const { commit, seq } = release;
  return (
    <Card title={text.one.commit}>
      <Facts
        facts={[
          [text.column.tenant, release.tenant],
          [text.column.revision, <Revision key="revision" revision={release.revision} copy />],
          ...(commit === null
            ? []
            : ([
                [text.one.author, commit.author],
                [text.one.time, <Time key="time" at={commit.time} />],
              ] as const)),
          [text.one.seen, <Time key="seen" at={release.first_seen_at} />],
          [text.one.seq, seq === null ? '–' : format.number(seq)],
        ]}
      />
    </Card>
  );
}
