import { Mono } from './copied.tsx';

interface Named {
  readonly agent_id: string | null;
  readonly hostname: string | null;
}

/** The agents of a list whose host name another one of it has too: machines made from one image are often called the same. */
export function sameNamed(rows: readonly Named[]): ReadonlySet<string> {
  const agents = new Map(
    rows.flatMap(({ agent_id: id, hostname }) =>
      id === null || hostname === null ? [] : [[id, hostname] as const],
    ),
  );
  const byName = Map.groupBy(agents, ([, hostname]) => hostname);
  return new Set(
    [...byName.values()].filter(({ length }) => length > 1).flatMap((all) => all.map(([id]) => id)),
  );
}

/**
 * What tells such an agent from the other, beside its host name; nothing for all others. It is the end of the id: ids begin with
 * the time, and machines that were enrolled within a minute begin alike.
 */
export function SameNameId({ agentId, among }: { agentId: string | null; among: ReadonlySet<string> }) {
  if (agentId === null || !among.has(agentId)) return null;
  return (
    <span class="quiet small" data-above>
      {' '}
      <Mono text={agentId} short={`…${agentId.slice(-8)}`} />
    </span>
  );
}
