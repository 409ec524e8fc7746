import type { AgentDetail } from '../../../../schemas/console/agent.ts';
import { AGENT_LOOK } from '../../parts/badge.tsx';
import { Copy, Verbatim, Version } from '../../parts/copied.tsx';
import { Note } from '../../parts/note.tsx';
import { Time, useNow } from '../../parts/time.tsx';
import { en } from '../../text/en/agent.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/agent.ts';
import { useText } from '../../text/language.tsx';

const WEEK_MS = 7 * 86_400_000;

/** What somebody has to know before anything else, the gravest first. */
export function Alerts({ agent }: { agent: AgentDetail }) {
  return (
    <>
      <Revoked agent={agent} />
      <Conflict agent={agent} />
      <Problem agent={agent} />
      <Suspended agent={agent} />
      <HeldFlows agent={agent} />
      <ConfigError agent={agent} />
      <Expiry agent={agent} />
    </>
  );
}

/** The failing condition word for word, and what to do about it where we know. */
function Problem({ agent }: { agent: AgentDetail }) {
  const text = useText({ en, fr });
  const format = useFormat();
  const { problem } = agent;
  if (problem === null) return null;
  const advice = Object.hasOwn(text.todo, problem.reason) ? text.todo[problem.reason] : undefined;
  const tone = AGENT_LOOK[agent.state].tone;
  return (
    <Note
      tone={tone === 'ok' || tone === 'none' ? 'warn' : tone}
      title={
        <>
          {problem.type} · {problem.reason}{' '}
          <span class="quiet small">
            <Time at={problem.since} />
          </span>
        </>
      }
      side={<Copy text={`${problem.reason}: ${problem.message}`} what={text.problem} />}
    >
      <p>
        <Verbatim>{problem.message}</Verbatim>
      </p>
      {advice === undefined ? null : (
        <p>
          <strong>
            {text.advice}
            {format.colon}
          </strong>
          {advice}
        </p>
      )}
    </Note>
  );
}

function Revoked({ agent }: { agent: AgentDetail }) {
  const text = useText({ en, fr });
  const format = useFormat();
  if (agent.revoked_at === null) return null;
  return (
    <Note tone="none" icon="revoked" title={text.revokedTitle}>
      <p>
        <Time at={agent.revoked_at} /> {agent.revoked_by === null ? null : text.revokedBy(agent.revoked_by)}
        {agent.revoked_why === null ? null : (
          <>
            {format.colon}
            <Verbatim>{agent.revoked_why}</Verbatim>
          </>
        )}
      </p>
    </Note>
  );
}

function Conflict({ agent }: { agent: AgentDetail }) {
  const text = useText({ en, fr });
  const { identity_conflict: conflict } = agent;
  if (conflict === null) return null;
  const ongoing = conflict.state === 'ongoing';
  return (
    <Note tone={ongoing ? 'bad' : 'warn'} title={ongoing ? text.conflictTitle : text.conflictPast}>
      <p>
        <Time at={conflict.since} />. {text.conflictMore}
      </p>
    </Note>
  );
}

function Suspended({ agent }: { agent: AgentDetail }) {
  const text = useText({ en, fr });
  const { suspended } = agent;
  if (suspended === null) return null;
  return (
    <Note tone="calm" title={text.suspendedTitle(suspended.by)}>
      <p>
        <Verbatim>{suspended.why}</Verbatim>
        <span class="quiet">
          {' · '}
          {suspended.until === null ? (
            text.untilResumed
          ) : (
            <>
              {text.untilWord} <Time at={suspended.until} clock />
            </>
          )}
        </span>
      </p>
    </Note>
  );
}

/** After a roll back by hand: off its branch on purpose, which is forgotten too easily. */
function HeldFlows({ agent }: { agent: AgentDetail }) {
  const text = useText({ en, fr });
  const held = agent.status?.flows.filter((flow) => flow.held !== null) ?? [];
  if (held.length === 0) return null;
  return (
    <Note tone="calm" icon="held" title={text.heldTitle}>
      <ul class="plain-list">
        {held.map(({ id, active_version: version, since, held: by }) => (
          <li key={id}>
            <strong>{id}</strong> <Version version={version} /> ·{' '}
            {text.flows.held(by?.by ?? '', by?.why ?? '')}{' '}
            <span class="quiet small">
              <Time at={since} />
            </span>
          </li>
        ))}
      </ul>
      <p class="quiet">{text.heldMore}</p>
    </Note>
  );
}

function ConfigError({ agent }: { agent: AgentDetail }) {
  const text = useText({ en, fr });
  const error = agent.status?.config.error ?? null;
  if (error === null) return null;
  return (
    <Note tone="warn" title={text.configError}>
      <p>
        <Verbatim>{error}</Verbatim>
      </p>
    </Note>
  );
}

function Expiry({ agent }: { agent: AgentDetail }) {
  const text = useText({ en, fr });
  const now = useNow();
  const expires = agent.status?.trust.release_expires ?? null;
  if (expires === null) return null;
  const left = Date.parse(expires) - now.getTime();
  if (left > WEEK_MS) return null;
  return (
    <Note tone={left <= 0 ? 'bad' : 'warn'} title={left <= 0 ? text.expiredTitle : text.expiresTitle}>
      <p>
        <Time at={expires} />
      </p>
    </Note>
  );
}
