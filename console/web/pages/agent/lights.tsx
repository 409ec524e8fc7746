import type { ComponentChildren } from 'preact';
import type { AgentDetail } from '../../../../schemas/console/agent.ts';
import { AGENT_LOOK, Badge, HealthBadge, type Tone } from '../../parts/badge.tsx';
import { Revision } from '../../parts/copied.tsx';
import { HeldMark } from '../../parts/held-mark.tsx';
import { Card, Facts } from '../../parts/page.tsx';
import { Age, Time, useNow } from '../../parts/time.tsx';
import { en } from '../../text/en/agent.ts';
import { en as reportedEn } from '../../text/en/reported.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/agent.ts';
import { fr as reportedFr } from '../../text/fr/reported.ts';
import { useText } from '../../text/language.tsx';
import { useWords } from '../../text/words.ts';

/** A large lamp with its word: what a person sees from the other side of the room. */
function Light({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <p class={`light is-${tone}`}>
      <i aria-hidden="true" />
      {children}
    </p>
  );
}

/** Can it be reached now? */
export function TunnelCard({ agent }: { agent: AgentDetail }) {
  const text = useText({ en, fr });
  const reported = useText({ en: reportedEn, fr: reportedFr });
  const { connected, since } = agent.tunnel;
  const said = agent.status?.tunnel.state ?? null;
  return (
    <Card title={text.tunnel}>
      <Light tone={connected ? 'ok' : agent.state === 'unreachable' ? 'bad' : 'none'}>
        <strong>{connected ? text.connected : text.disconnected}</strong>
        {since === null ? null : (
          <span class="quiet">
            {text.sinceWord} <Time at={since} clock />
          </span>
        )}
      </Light>
      <Facts
        facts={[
          [text.lastSeen, <Time key="seen" at={agent.last_seen_at} />],
          ...(said === null ? [] : ([[text.tunnelState, reported.tunnel[said] ?? said]] as const)),
        ]}
      />
      {!connected && since === null ? <p class="quiet small">{text.noTunnel}</p> : null}
    </Card>
  );
}

/**
 * When it will try again, null where nobody knows: it tells of its attempts when something has changed, and every few minutes, so the
 * time that it named may be over; and where trying again does not help there is none to wait for.
 */
function useNextAttempt({ state, status }: AgentDetail): string | null {
  const at = status?.source.next_attempt_at ?? null;
  const now = useNow();
  return at === null || state === 'stalled' || Date.parse(at) <= now.getTime() ? null : at;
}

/** Has it what it should have? Sync, health and the last sync stand apart: each can be right while another is not. */
export function SyncCard({ agent }: { agent: AgentDetail }) {
  const text = useText({ en, fr });
  const reported = useText({ en: reportedEn, fr: reportedFr });
  const words = useWords();
  const format = useFormat();
  const next = useNextAttempt(agent);
  const { status } = agent;
  const source = status?.source;
  const at = source?.desired_revision === source?.last_applied_revision;
  const busy = status?.flows.find(({ phase }) => phase !== 'active') ?? null;
  return (
    <Card title={text.sync}>
      <Light tone={AGENT_LOOK[agent.state].tone}>
        <strong>{words.state[agent.state]}</strong>
        {busy === null ? null : (
          <span class="quiet">
            {busy.id}
            {format.colon}
            {text.phases[busy.phase]}, <Age since={busy.since} />
          </span>
        )}
      </Light>
      <Facts
        facts={[
          [
            text.desired,
            <span key="desired" class="line">
              <Revision revision={agent.desired_revision} copy />
              {agent.commit === null ? null : (
                <span>
                  {agent.commit.subject}{' '}
                  <span class="quiet small">
                    {agent.commit.author}, <Time at={agent.commit.time} />
                  </span>
                </span>
              )}
            </span>,
          ],
          [
            text.applied,
            <span key="applied" class="line">
              <Revision revision={agent.applied_revision} copy />
              {source === undefined || agent.applied_revision === null || agent.held.length > 0 ? null : (
                <Badge tone={at ? 'ok' : 'busy'} icon={at ? 'check' : 'reconciling'} plain>
                  {at ? '=' : '≠'}
                </Badge>
              )}
              <HeldMark held={agent.held} />
            </span>,
          ],
          [
            text.health,
            agent.health === null ? (
              <span key="health" class="quiet">
                –
              </span>
            ) : (
              <HealthBadge key="health" health={agent.health} plain />
            ),
          ],
          [
            text.lastSync,
            <span key="sync">
              <Time at={agent.last_sync_at} />{' '}
              {agent.last_sync_at === null ? null : <span class="quiet small">{reported.atReport}</span>}
            </span>,
          ],
          ...(next === null ? [] : ([[text.nextAttempt, <Time key="next" at={next} />]] as const)),
        ]}
      />
    </Card>
  );
}
