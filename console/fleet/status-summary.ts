import type { HeldFlow } from '../../schemas/console/agent.ts';
import type {
  CommitInfo,
  Condition,
  FlowHealth,
  FlowStatus,
  Status,
  Suspension,
} from '../../schemas/status.ts';

export interface FlowSummary {
  readonly flow: string;
  readonly runtime: string | null;
  readonly desired: string | null;
  readonly active: string | null;
  readonly health: FlowHealth;
  /** Somebody rolled it back by hand, and its branch asks for another version still. */
  readonly held: boolean;
}

export interface Problem {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly since: string;
}

/** What lists, counts and searches need of a status document. */
export interface StatusSummary {
  readonly stalled: boolean;
  readonly ready: boolean;
  /** Worst of the flows; null without one. */
  readonly health: FlowHealth | null;
  readonly suspended: Suspension | null;
  readonly problem: Problem | null;
  readonly desiredRevision: string | null;
  readonly appliedRevision: string | null;
  readonly commit: CommitInfo | null;
  /** The revision that the commit is of, where the status says so beyond doubt. */
  readonly commitOf: string | null;
  /** Of the statement in force, when the desired revision is the one that it is about. */
  readonly seq: number | null;
  readonly lastSyncAt: string | null;
  readonly agentVersion: string;
  readonly os: string;
  readonly arch: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly running: number;
  readonly queued: number;
  readonly flows: readonly FlowSummary[];
  /** At most twenty of the flows that are held. */
  readonly held: readonly HeldFlow[];
  /** Why a version was given up, by flow. */
  readonly givenUp: ReadonlyMap<string, string>;
  /** In lower case: what a search looks at. */
  readonly text: string;
}

const MESSAGE_MAX = 1_000;
const TEXT_MAX = 8_192;
const HELD_MAX = 20;
const WORST_HEALTH: readonly FlowHealth[] = ['unhealthy', 'unknown', 'healthy'];

/** Of a status that cannot be read: the agent has reported, and that is all. */
export const NOTHING_KNOWN: StatusSummary = {
  stalled: false,
  ready: false,
  health: null,
  suspended: null,
  problem: null,
  desiredRevision: null,
  appliedRevision: null,
  commit: null,
  commitOf: null,
  seq: null,
  lastSyncAt: null,
  agentVersion: '',
  os: '',
  arch: '',
  labels: {},
  running: 0,
  queued: 0,
  flows: [],
  held: [],
  givenUp: new Map(),
  text: '',
};

export function summariseStatus(status: Status): StatusSummary {
  const { source, runs } = status;
  const flows = status.flows.map((flow) => ({
    flow: flow.id,
    runtime: flow.runtime,
    desired: flow.desired_version,
    active: flow.active_version,
    health: flow.health,
    held: isHeld(flow),
  }));
  const problem = problemOf(status);
  const isApplied =
    source.desired_revision !== null && source.desired_revision === source.last_applied_revision;
  return {
    stalled: holds(status.conditions, 'Stalled'),
    ready: holds(status.conditions, 'Ready'),
    health: WORST_HEALTH.find((health) => flows.some((flow) => flow.health === health)) ?? null,
    suspended: status.suspended,
    problem,
    desiredRevision: source.desired_revision,
    appliedRevision: source.last_applied_revision,
    commit: source.commit,
    // The commit is read after the revision is seen: in between it is still the one before.
    commitOf: source.last_attempted_revision === source.desired_revision ? source.desired_revision : null,
    seq: isApplied ? status.trust.seq : null,
    lastSyncAt: source.last_sync_at,
    agentVersion: status.agent_version,
    os: status.os,
    arch: status.arch,
    labels: status.labels,
    running: runs.running,
    queued: runs.queued,
    flows,
    held: status.flows.filter(isHeld).slice(0, HELD_MAX).map(heldFlow),
    givenUp: new Map(
      status.flows.flatMap(({ id, quarantined }) =>
        quarantined === null ? [] : [[id, quarantined.reason.slice(0, MESSAGE_MAX)] as const],
      ),
    ),
    text: textOf(status, problem),
  };
}

/**
 * A hold outlives a branch that went back to the same version (docs/decisions/0006-held-rollback-quarantine.md): then the agent is as
 * its branch says, and nobody has to be told.
 */
function isHeld({ held, active_version, desired_version }: FlowStatus): boolean {
  return held !== null && active_version !== desired_version;
}

function heldFlow({ id, active_version, desired_version, held, since }: FlowStatus): HeldFlow {
  return {
    flow: id,
    version: active_version,
    desired: desired_version,
    by: (held?.by ?? '').slice(0, MESSAGE_MAX),
    why: (held?.why ?? '').slice(0, MESSAGE_MAX),
    // A roll back begins its phase anew, and a flow that is held stays in it.
    since,
  };
}

/** The condition that says what is wrong, word for word: it stalls, it is on its way for a reason, or it is not ready. */
function problemOf({ conditions }: Status): Problem | null {
  const worst =
    conditions.find(({ type, status }) => type === 'Stalled' && status === 'True') ??
    conditions.find(({ type, status }) => type === 'Reconciling' && status === 'True') ??
    conditions.find(({ type, status }) => type === 'Ready' && status !== 'True');
  if (worst === undefined) return null;
  const { type, reason, message, changed_at: since } = worst;
  return { type, reason, message: message.slice(0, MESSAGE_MAX), since };
}

function holds(conditions: readonly Condition[], wanted: Condition['type']): boolean {
  return conditions.some(({ type, status }) => type === wanted && status === 'True');
}

function textOf({ labels, os, arch, agent_version, source, flows }: Status, problem: Problem | null): string {
  return [
    os,
    arch,
    agent_version,
    ...Object.entries(labels).map(([name, value]) => `${name}:${value}`),
    source.desired_revision,
    source.last_applied_revision,
    source.commit?.subject,
    problem?.reason,
    problem?.message,
    ...flows.flatMap((flow) => [flow.id, flow.active_version, flow.desired_version]),
  ]
    .filter((part) => part !== null && part !== undefined)
    .join(' ')
    .slice(0, TEXT_MAX)
    .toLowerCase();
}
