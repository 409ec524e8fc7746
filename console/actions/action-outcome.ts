import type { z } from 'zod';
import type { ActionAnswer, ActionOutcome, ActionRequest } from '../../schemas/console/action.ts';
import { CeremonyError } from '../../trust/ceremony/draft.ts';
import { RequestRefused } from '../refusal.ts';
import { COMMAND_LIFETIME_MS, type Planned, type Target, type TargetFacts } from './action-plan.ts';

const LISTED_MAX = 200;

export const GONE = {
  code: 'not_connected',
  message: 'expected a connected agent, found that it has gone; it looks by itself at its own interval',
};

export function outcome(
  { agent_id, tenant, hostname, connected }: Target,
  more: Partial<ActionOutcome> & Pick<ActionOutcome, 'outcome'>,
): ActionOutcome {
  const nothing = { command_id: null, run_id: null, code: null, message: null };
  return { agent_id, tenant, hostname, connected, ...nothing, ...more };
}

export function refusedOutcome(
  target: Target,
  { code, message }: { code: string; message: string },
): ActionOutcome {
  return outcome(target, { outcome: 'refused', code, message });
}

/** What one agent's queue, or the size of what is sent, refuses is that agent's outcome; anything else is a fault. */
export function refusal(target: Target, error: unknown): ActionOutcome {
  if (error instanceof RequestRefused) return refusedOutcome(target, error);
  if (error instanceof CeremonyError) {
    return refusedOutcome(target, { code: 'command_invalid', message: error.message });
  }
  throw error;
}

export function foreseen(planned: Planned, target: Target): ActionOutcome {
  switch (planned.kind) {
    case 'refused':
      return refusedOutcome(target, planned);
    case 'nudge':
      return outcome(target, { outcome: 'nudged' });
    case 'revoke':
      return outcome(target, { outcome: 'done' });
    case 'command': {
      const hours = COMMAND_LIFETIME_MS[planned.draft.action] / 3_600_000;
      const later = `it is not connected: it gets this when it is back within ${hours} h`;
      return outcome(target, { outcome: 'queued', message: target.connected ? null : later });
    }
  }
}

type Versions = ActionAnswer['versions'];

export function createVersionCount() {
  const found = new Map<string, { -readonly [K in keyof Versions[number]]: Versions[number][K] }>();
  return {
    add(flow: string | undefined, { placed }: TargetFacts): void {
      if (flow === undefined || placed === undefined) return;
      const { active_version: from, previous_version: to } = placed;
      const key = JSON.stringify([from, to]);
      const known = found.get(key) ?? { flow, from, to, agents: 0 };
      known.agents += 1;
      found.set(key, known);
    },
    list: (): Versions => [...found.values()].toSorted((one, other) => other.agents - one.agents),
  };
}

export function answerOf(
  { action, dry_run }: z.output<typeof ActionRequest>,
  outcomes: readonly ActionOutcome[],
  versions: Versions,
): ActionAnswer {
  const count = (wanted: ActionOutcome['outcome']) =>
    outcomes.filter((each) => each.outcome === wanted).length;
  const refusedFirst = outcomes.toSorted(
    (one, other) => Number(other.outcome === 'refused') - Number(one.outcome === 'refused'),
  );
  return {
    action,
    dry_run,
    counts: {
      total: outcomes.length,
      queued: count('queued'),
      nudged: count('nudged'),
      done: count('done'),
      refused: count('refused'),
      offline: outcomes.filter(({ connected }) => !connected).length,
    },
    outcomes: refusedFirst.slice(0, LISTED_MAX),
    versions,
  };
}
