import type { AgentDetail } from '../../../../schemas/console/agent.ts';
import { Mono } from '../../parts/copied.tsx';
import { Card, Facts } from '../../parts/page.tsx';
import { Time } from '../../parts/time.tsx';
import { en } from '../../text/en/agent.ts';
import { en as reportedEn } from '../../text/en/reported.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/agent.ts';
import { fr as reportedFr } from '../../text/fr/reported.ts';
import { useText } from '../../text/language.tsx';
import { useWords } from '../../text/words.ts';

const CLOCK_RIGHT_MS = 2_000;

/** What the machine is, and what it says of itself. */
export function FactsCard({ agent }: { agent: AgentDetail }) {
  const text = useText({ en, fr });
  const { fact } = text;
  const words = useWords();
  const labels = Object.entries(agent.labels);
  return (
    <Card title={text.facts}>
      <div class="fact-columns">
        <Facts
          facts={[
            [fact.tenant, agent.tenant],
            [fact.id, <Mono key="id" text={agent.agent_id} copy />],
            [fact.system, `${agent.os} ${agent.arch}`],
            [fact.version, agent.agent_version],
            [
              fact.labels,
              labels.length === 0 ? (
                <span key="labels" class="quiet">
                  {words.none}
                </span>
              ) : (
                <span key="labels" class="one-wrap">
                  {labels.map(([key, value]) => `${key}: ${value}`).join(' · ')}
                </span>
              ),
            ],
            [fact.enrolled, <Time key="enrolled" at={agent.enrolled_at} />],
          ]}
        />
        {agent.status === null ? null : <Said status={agent.status} />}
      </div>
    </Card>
  );
}

function Said({ status }: { status: NonNullable<AgentDetail['status']> }) {
  const { fact } = useText({ en, fr });
  const reported = useText({ en: reportedEn, fr: reportedFr });
  const format = useFormat();
  const { trust, disk, outbox, runs, clock_offset_ms: offset } = status;
  const parked = outbox.parked === 0 ? '' : `, ${fact.parked(outbox.parked)}`;
  return (
    <Facts
      facts={[
        [fact.trust, reported.trust[trust.mode]],
        [fact.root, `${trust.root_version ?? '–'} · ${fact.seq} ${trust.seq ?? '–'}`],
        [fact.expires, <Time key="expires" at={trust.release_expires} />],
        [fact.isolation, isolationWords(status.isolation, reported.isolation)],
        [fact.disk, fact.diskText(format.bytes(disk.used), format.bytes(disk.free))],
        [
          fact.clock,
          offset === null || Math.abs(offset) < CLOCK_RIGHT_MS
            ? fact.clockRight
            : fact.clockOff(format.duration(Math.abs(offset))),
        ],
        [fact.runs, fact.runsText(runs.running, runs.queued)],
        [
          fact.outbox,
          <span key="outbox">
            {format.number(outbox.pending)}
            {parked} <span class="quiet small">{reported.atReport}</span>
          </span>,
        ],
      ]}
    />
  );
}

function isolationWords(level: string, words: Readonly<Record<string, string>>): string {
  return level
    .split('+')
    .map((part) => words[part] ?? part)
    .join(' + ');
}
