import type { RunDetail } from '../../../../schemas/console/run.ts';
import { Mono, Revision, Version } from '../../parts/copied.tsx';
import { Link } from '../../parts/link.tsx';
import { Card, Facts } from '../../parts/page.tsx';
import { Duration, Time } from '../../parts/time.tsx';
import { en } from '../../text/en/run.ts';
import { en as listEn } from '../../text/en/runs.ts';
import { fr } from '../../text/fr/run.ts';
import { fr as listFr } from '../../text/fr/runs.ts';
import { useText } from '../../text/language.tsx';
import { visible } from './ansi.ts';

/** What ran, where, of which version and commit: each a link to its own page. */
export function RunFacts({ run }: { run: RunDetail }) {
  const text = useText({ en, fr });
  const { triggers } = useText({ en: listEn, fr: listFr });
  const { fact } = text;
  const tenant = encodeURIComponent(run.tenant);
  return (
    <Card title={text.facts}>
      <Facts
        facts={[
          [
            fact.flow,
            <Link key="flow" to={`/flows/${tenant}/${encodeURIComponent(run.flow)}`}>
              {run.flow}
            </Link>,
          ],
          [
            fact.version,
            run.version === null ? (
              <Version key="version" version={null} />
            ) : (
              <span key="version" class="run-version">
                <Link to="/runs" query={{ tenant: run.tenant, flow: run.flow, version: run.version }}>
                  <Version version={run.version} />
                </Link>
              </span>
            ),
          ],
          [
            fact.digest,
            run.sha256 === null ? (
              '–'
            ) : (
              <Mono key="digest" text={run.sha256} short={run.sha256.slice(0, 12)} copy />
            ),
          ],
          [fact.commit, <Commit key="commit" run={run} />],
          [
            fact.agent,
            <Link key="agent" class="run-host" to={`/agents/${encodeURIComponent(run.agent_id)}`}>
              {visible(run.hostname)}
            </Link>,
          ],
          [fact.trigger, run.trigger === null ? '–' : triggers[run.trigger]],
          [fact.attempt, run.attempt],
          [fact.took, <Duration key="took" from={run.started_at} to={run.finished_at} />],
          [fact.exit, run.exit_code ?? '–'],
          [fact.id, <Mono key="id" text={run.run_id} copy />],
          ...(run.command === null
            ? []
            : [[fact.command, <Mono key="command" text={run.command.command_id} copy />] as const]),
        ]}
      />
    </Card>
  );
}

function Commit({ run }: { run: RunDetail }) {
  const text = useText({ en, fr });
  const { revision, commit } = run;
  if (revision === null) return <>–</>;
  const path = `/releases/${encodeURIComponent(run.tenant)}/${encodeURIComponent(revision)}`;
  return (
    <span class="run-commit">
      <Link to={path}>
        <Revision revision={revision} />
        {commit === null ? null : ` ${visible(commit.subject)}`}
      </Link>
      {commit === null ? null : (
        <span class="quiet small">
          {text.commitBy(visible(commit.author))} <Time at={commit.time} />
        </span>
      )}
    </span>
  );
}
