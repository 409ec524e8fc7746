import { useState } from 'preact/hooks';
import type { ConsoleRunState, RunDetail } from '../../../../schemas/console/run.ts';
import { useParameters } from '../../frame/address.ts';
import { Link } from '../../parts/link.tsx';
import { Empty, Note } from '../../parts/note.tsx';
import { Card } from '../../parts/page.tsx';
import { en } from '../../text/en/run.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/run.ts';
import { useText } from '../../text/language.tsx';
import { goesOn } from './going-on.ts';
import { LiveLog, TailLog } from './log-view.tsx';
import type { LogPlace } from './use-log.ts';

const STREAMS = ['stdout', 'stderr'] as const;
type Stream = (typeof STREAMS)[number];

/** What the run printed: a stream of an attempt at a time, as their lines are not known to have come in one order. */
export function LogCard({ run }: { run: RunDetail }) {
  const text = useText({ en, fr });
  const format = useFormat();
  const [parameters, set] = useParameters();
  const attempts = [
    ...new Set([...run.logs.map(({ attempt }) => attempt), Math.max(1, run.attempt)]),
  ].toSorted((one, other) => one - other);
  const asked = Number(parameters.get('attempt'));
  const attempt = attempts.includes(asked) ? asked : (attempts.at(-1) ?? 1);
  const bytesOf = (stream: Stream) =>
    run.logs.find((log) => log.attempt === attempt && log.stream === stream)?.bytes ??
    (run.report_tail === null ? 0 : run.report_tail[stream].length);
  // Of a run that failed the reason is there; one that fails while it is read stays where it is.
  const [failed] = useState(run.state === 'failed' || run.state === 'timed_out');
  const first = bytesOf('stderr') > 0 && (failed || bytesOf('stdout') === 0) ? 'stderr' : 'stdout';
  const stream = STREAMS.find((each) => each === parameters.get('stream')) ?? first;
  const dropped = run.truncated?.[stream] ?? 0;
  return (
    <Card
      title={text.log.title}
      side={
        attempts.length < 2 ? undefined : (
          <label class="line">
            <span class="quiet">{text.log.attempt}</span>
            <select
              class="input run-attempt"
              value={attempt}
              onChange={(event) => set({ attempt: event.currentTarget.value })}
            >
              {attempts.map((each) => (
                <option key={each} value={each}>
                  {each}
                </option>
              ))}
            </select>
          </label>
        )
      }
    >
      <div class="stack-small">
        <nav class="tabs" aria-label={text.log.streams}>
          {STREAMS.map((each) => (
            <Link
              key={each}
              class="tab"
              to={`/agents/${encodeURIComponent(run.agent_id)}/runs/${encodeURIComponent(run.run_id)}`}
              query={{ stream: each, attempt: parameters.get('attempt'), find: parameters.get('find') }}
              aria-current={each === stream ? 'page' : undefined}
            >
              {each}
              <span class="tab-count">{format.bytes(bytesOf(each))}</span>
            </Link>
          ))}
        </nav>
        {dropped === 0 ? null : (
          <Note tone="warn" title={text.log.truncated(format.bytes(dropped), stream)} />
        )}
        <Log run={run} place={{ agentId: run.agent_id, runId: run.run_id, stream, attempt }} />
      </div>
    </Card>
  );
}

function Log({ run, place }: { run: RunDetail; place: LogPlace }) {
  const text = useText({ en, fr });
  const found = run.logs.find(({ attempt, stream }) => attempt === place.attempt && stream === place.stream);
  const key = `${place.attempt} ${place.stream}`;
  if (found !== undefined || goesOn(run.state))
    return <LiveLog key={key} place={place} bytes={found?.bytes ?? 0} live={goesOn(run.state)} />;
  const tail = run.report_tail?.[place.stream] ?? '';
  if (tail === '')
    return (
      <Empty icon="terminal" title={text.log.never}>
        {never(run.state) ? text.log.neverBegan : text.log.neverMore}
      </Empty>
    );
  return (
    <>
      <p class="quiet small">{text.log.tail}</p>
      <TailLog key={key} tail={tail} />
    </>
  );
}

function never(state: ConsoleRunState): boolean {
  return state === 'refused' || state === 'expired';
}
