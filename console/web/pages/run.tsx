import type { RunDetail } from '../../../schemas/console/run.ts';
import { useRun } from '../api/queries.ts';
import type { PageParameters } from '../frame/lazy-page.tsx';
import { RunBadge } from '../parts/badge.tsx';
import { Verbatim } from '../parts/copied.tsx';
import { Bones, FaultNote, Note } from '../parts/note.tsx';
import { Page } from '../parts/page.tsx';
import { Time } from '../parts/time.tsx';
import '../style/run.css';
import { en } from '../text/en/run.ts';
import { en as listEn } from '../text/en/runs.ts';
import { fr } from '../text/fr/run.ts';
import { fr as listFr } from '../text/fr/runs.ts';
import { useText } from '../text/language.tsx';
import { visible } from './run/ansi.ts';
import { RunFacts } from './run/facts.tsx';
import { Files } from './run/files.tsx';
import { RunInputsCard } from './run/inputs.tsx';
import { LogCard } from './run/log-card.tsx';
import { RunActions } from './run/run-actions.tsx';
import { Timeline } from './run/timeline.tsx';

/** One run: what asked for it, how it went, what it printed and what it left. */
export default function Run({ params }: PageParameters) {
  const { id = '', run_id = '' } = params;
  const list = useText({ en: listEn, fr: listFr });
  const { data: run, error, refetch } = useRun(id, run_id);
  if (run === undefined)
    return (
      <Page title={run_id} trail={[{ to: '/runs', title: list.title }]}>
        {error === null ? <Bones lines={12} /> : <FaultNote fault={error} onRetry={() => void refetch()} />}
      </Page>
    );
  return <Known run={run} />;
}

function Known({ run }: { run: RunDetail }) {
  const text = useText({ en, fr });
  const list = useText({ en: listEn, fr: listFr });
  return (
    <Page
      title={text.title(run.flow, visible(run.hostname))}
      heading={
        <span class="line">
          <span class="run-title">{text.title(run.flow, visible(run.hostname))}</span>
          <RunBadge state={run.state} />
          <span class="quiet small">
            <Time at={run.finished_at ?? run.started_at ?? run.asked_at ?? run.received_at} />
          </span>
        </span>
      }
      trail={[{ to: '/runs', title: list.title }]}
      actions={<RunActions run={run} />}
    >
      <Reason run={run} />
      <div class="run-top">
        <Timeline run={run} />
        <RunFacts run={run} />
      </div>
      <RunInputsCard run={run} />
      <LogCard run={run} />
      <Files run={run} />
    </Page>
  );
}

/** In the words of whoever says so. */
function Reason({ run }: { run: RunDetail }) {
  const text = useText({ en, fr });
  const never = run.state === 'refused' || run.state === 'expired';
  const said = run.reason ?? (never ? (run.command?.message ?? run.command?.code ?? null) : null);
  if (said === null || run.state === 'succeeded') return null;
  const tone = run.state === 'cancelled' ? 'calm' : 'bad';
  return (
    <Note tone={tone} title={never ? text.whyNot : text.why}>
      <Verbatim>{visible(said)}</Verbatim>
    </Note>
  );
}
