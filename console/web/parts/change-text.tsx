import type { ComponentChildren } from 'preact';
import type { AgentChange, AgentState } from '../../../schemas/console/agent.ts';
import { en } from '../text/en/overview.ts';
import { fr } from '../text/fr/overview.ts';
import { useText } from '../text/language.tsx';
import { AGENT_LOOK, StateBadge } from './badge.tsx';
import { Revision, Version } from './copied.tsx';

type Change = Pick<AgentChange, 'kind' | 'from' | 'to' | 'flow'>;

/** What changed, as the end of a sentence that begins with who: states, revisions and versions in their own look. */
export function ChangeText({ change }: { change: Change }) {
  const { change: texts } = useText({ en, fr });
  return (
    <>
      {textOf(change, texts)
        .split(/(\$from|\$to|\$flow)/)
        .map((part) => filled(part, change))}
    </>
  );
}

function textOf({ kind, from, to }: Change, texts: (typeof en)['change']): string {
  if (kind === 'state' && from === null) return texts.stateFirst;
  if (kind === 'version' && to === null) return texts.versionGone;
  if (kind === 'held' && from === null) return texts.heldFirst;
  return texts[kind];
}

function filled(part: string, change: Change): ComponentChildren {
  if (part === '$flow') return <strong key={part}>{change.flow}</strong>;
  if (part !== '$from' && part !== '$to') return part;
  const value = part === '$from' ? change.from : change.to;
  if (change.kind === 'state') {
    return isState(value) ? <StateBadge key={part} state={value} plain /> : value;
  }
  if (change.kind === 'revision') return <Revision key={part} revision={value} />;
  return <Version key={part} version={value} />;
}

function isState(value: string | null): value is AgentState {
  return value !== null && Object.hasOwn(AGENT_LOOK, value);
}
