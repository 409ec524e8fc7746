import type { ConsoleRunState } from '../../schemas/console/run.ts';
import type { PlacedFlow } from '../store/ports/flow-places.ts';
import type { Asked } from './asked.ts';
import type { CommandDraft } from './signed-command.ts';
import type { Signer } from './trigger-keys.ts';

/** What is known of one agent before it is asked. */
export interface Target {
  readonly agent_id: string;
  readonly tenant: string;
  readonly hostname: string;
  readonly revoked_at: string | null;
  readonly connected: boolean;
}

export interface TargetFacts {
  /** Of `run` and `rollback`; undefined: the agent has said nothing of the flow. */
  readonly placed: PlacedFlow | undefined;
  /** Of `cancel`; null: the agent has no such run. */
  readonly runState: ConsoleRunState | null;
  /** Of the agent's tenant; null where nothing has to be signed. */
  readonly signer: Signer | null;
}

export type Planned =
  | {
      readonly kind: 'command';
      readonly draft: CommandDraft;
      readonly signer: Extract<Signer, { kind: 'key' }>;
    }
  | { readonly kind: 'nudge' }
  | { readonly kind: 'revoke' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

const OVER: readonly (ConsoleRunState | null)[] = [
  'succeeded',
  'failed',
  'timed_out',
  'cancelled',
  'lost',
  'refused',
  'expired',
];

/** How long a command may wait for its agent. A run that begins hours late is rarely wanted; a stop is, whenever the machine is back. */
export const COMMAND_LIFETIME_MS: Readonly<Record<CommandDraft['action'], number>> = {
  run: 60 * 60_000,
  cancel: 24 * 60 * 60_000,
  suspend: 24 * 60 * 60_000,
  resume: 24 * 60 * 60_000,
  rollback: 24 * 60 * 60_000,
};

/** What becomes of the action at one agent, before anything is done: pure, so that what a dry run says is what is done. */
export function planAction(
  asked: Asked,
  target: Target,
  facts: TargetFacts,
  by: string,
  runId: string,
): Planned {
  if (target.revoked_at !== null) {
    return refused(
      'agent_revoked',
      `expected an agent in good standing, found it revoked at ${target.revoked_at}`,
    );
  }
  switch (asked.action) {
    case 'reconcile':
      if (target.connected) return { kind: 'nudge' };
      return refused(
        'not_connected',
        'expected a connected agent, found none; it looks by itself at its own interval',
      );
    case 'revoke':
      return { kind: 'revoke' };
    default: {
      const draft = draftOf(asked, facts, by, runId);
      if ('kind' in draft) return draft;
      const { signer } = facts;
      if (signer === null) throw new Error('expected to be told what signs a command');
      if (signer.kind === 'none') return refused(signer.code, signer.message);
      return { kind: 'command', draft, signer };
    }
  }
}

type Refused = Extract<Planned, { kind: 'refused' }>;

function refused(code: string, message: string): Refused {
  return { kind: 'refused', code, message };
}

function draftOf(asked: Asked, facts: TargetFacts, by: string, runId: string): CommandDraft | Refused {
  const { action, reason, flow = '', version, inputs, timeout, run_id = '', until } = asked;
  switch (action) {
    case 'run': {
      const wrong = runFault(facts.placed, flow, version);
      if (wrong !== null) return wrong;
      return {
        action,
        run_id: runId,
        flow,
        ...(version === undefined ? {} : { version }),
        ...(inputs === undefined ? {} : { inputs }),
        ...(timeout === undefined ? {} : { timeout }),
      };
    }
    case 'cancel':
      if (facts.runState === null)
        return refused('run_unknown', `expected a run ${run_id} of this agent, found none`);
      if (OVER.includes(facts.runState)) {
        return refused('run_ended', `expected a run that goes on, found ${run_id} ${facts.runState} already`);
      }
      return { action, run_id };
    case 'suspend':
      return { action, by, why: reason, ...(until === undefined ? {} : { until }) };
    case 'resume':
      return { action, by };
    case 'rollback': {
      const { placed } = facts;
      if (placed === undefined) return flowUnknown(flow);
      return rollbackFault(placed, flow) ?? { action, flow, by, why: reason };
    }
    default:
      throw new Error(`expected an action that is a command, found ${action}`);
  }
}

function runFault(placed: PlacedFlow | undefined, flow: string, version: string | undefined): Refused | null {
  if (placed === undefined) return flowUnknown(flow);
  if (placed.active_version === null) {
    return refused('no_active_version', `expected an active version of ${flow}, found none on this agent`);
  }
  if (version === undefined || placed.active_version === version) return null;
  const message = `expected version ${version} of ${flow} to be active, found ${placed.active_version}`;
  return refused('version_not_active', message);
}

/** The digest in quarantine is that of the version that is wanted: where it was active and failed, it is the one before. */
function rollbackFault(placed: PlacedFlow, flow: string): Refused | null {
  const { active_version, previous_version, previous_sha256, quarantined } = placed;
  if (previous_version === null) {
    const message = `expected a version of ${flow} before ${active_version ?? 'the active one'}, found none on this agent`;
    return refused('no_previous_version', message);
  }
  // A name is another version where it was given to another digest.
  const isThatOne =
    previous_sha256 === null
      ? previous_version === placed.desired_version
      : previous_sha256 === placed.quarantined_sha256;
  if (quarantined === null || !isThatOne) return null;
  const message = `expected a version of ${flow} to go back to, found ${previous_version} quarantined: ${quarantined}; publish a release with the version you want`;
  return refused('previous_quarantined', message);
}

function flowUnknown(flow: string): Refused {
  return refused(
    'flow_unknown',
    `expected the flow ${flow} on this agent, found none in what it has reported`,
  );
}
