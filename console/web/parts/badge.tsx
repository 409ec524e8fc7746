import type { ComponentChildren } from 'preact';
import type { z } from 'zod';
import type { AgentState } from '../../../schemas/console/agent.ts';
import type { ConsoleRunState } from '../../../schemas/console/run.ts';
import type { Severity } from '../../../schemas/event.ts';
import type { FlowHealth } from '../../../schemas/status.ts';
import { useWords } from '../text/words.ts';
import { Icon, type IconName } from './icon.tsx';

/** What a colour means, everywhere. */
export type Tone = 'ok' | 'busy' | 'warn' | 'bad' | 'calm' | 'none';

interface Look {
  readonly tone: Tone;
  readonly icon: IconName;
}

export const AGENT_LOOK: Readonly<Record<AgentState, Look>> = {
  stalled: { tone: 'bad', icon: 'stalled' },
  unhealthy: { tone: 'bad', icon: 'unhealthy' },
  unreachable: { tone: 'warn', icon: 'unreachable' },
  reconciling: { tone: 'busy', icon: 'reconciling' },
  suspended: { tone: 'calm', icon: 'suspended' },
  waiting: { tone: 'none', icon: 'waiting' },
  ready: { tone: 'ok', icon: 'ready' },
  revoked: { tone: 'none', icon: 'revoked' },
};

export const RUN_LOOK: Readonly<Record<ConsoleRunState, Look>> = {
  asked: { tone: 'none', icon: 'arrow' },
  queued: { tone: 'none', icon: 'waiting' },
  running: { tone: 'busy', icon: 'reconciling' },
  succeeded: { tone: 'ok', icon: 'ready' },
  failed: { tone: 'bad', icon: 'stalled' },
  timed_out: { tone: 'bad', icon: 'waiting' },
  cancelled: { tone: 'calm', icon: 'revoked' },
  lost: { tone: 'warn', icon: 'unreachable' },
  refused: { tone: 'bad', icon: 'revoked' },
  expired: { tone: 'warn', icon: 'waiting' },
};

const HEALTH_LOOK: Readonly<Record<FlowHealth, Look>> = {
  healthy: { tone: 'ok', icon: 'ready' },
  unhealthy: { tone: 'bad', icon: 'unhealthy' },
  unknown: { tone: 'none', icon: 'info' },
};

const SEVERITY_LOOK: Readonly<Record<z.infer<typeof Severity>, Look>> = {
  info: { tone: 'none', icon: 'info' },
  warning: { tone: 'warn', icon: 'warning' },
  error: { tone: 'bad', icon: 'stalled' },
};

export interface BadgeProps {
  tone: Tone;
  icon?: IconName;
  turning?: boolean;
  /** Without ground and border: in a dense list. */
  plain?: boolean;
  title?: string;
  children: ComponentChildren;
}

/** Icon, word and colour; any two of them would do. */
export function Badge({ tone, icon, turning, plain, title, children }: BadgeProps) {
  return (
    <span class={`badge is-${tone}${plain === true ? ' is-plain' : ''}`} title={title}>
      {icon === undefined ? null : <Icon name={icon} size={14} turning={turning} />}
      {children}
    </span>
  );
}

export function StateBadge({ state, plain }: { state: AgentState; plain?: boolean }) {
  const words = useWords();
  const { tone, icon } = AGENT_LOOK[state];
  return (
    <Badge
      tone={tone}
      icon={icon}
      turning={state === 'reconciling'}
      plain={plain}
      title={words.stateMeans[state]}
    >
      {words.state[state]}
    </Badge>
  );
}

export function RunBadge({ state, plain }: { state: ConsoleRunState; plain?: boolean }) {
  const words = useWords();
  const { tone, icon } = RUN_LOOK[state];
  return (
    <Badge tone={tone} icon={icon} turning={state === 'running'} plain={plain}>
      {words.run[state]}
    </Badge>
  );
}

export function HealthBadge({ health, plain }: { health: FlowHealth; plain?: boolean }) {
  const words = useWords();
  return (
    <Badge {...HEALTH_LOOK[health]} plain={plain}>
      {words.health[health]}
    </Badge>
  );
}

export function SeverityBadge(props: { severity: z.infer<typeof Severity>; plain?: boolean }) {
  const words = useWords();
  return (
    <Badge {...SEVERITY_LOOK[props.severity]} plain={props.plain}>
      {words.severity[props.severity]}
    </Badge>
  );
}
