import type { AgentState } from '../../../../schemas/console/agent.ts';
import { Status } from '../../../../schemas/status.ts';
import { agentState } from '../../../fleet/agent-state.ts';
import { type KnownStanding, standingOf, statusChanges } from '../../../fleet/status-changes.ts';
import {
  type FlowSummary,
  NOTHING_KNOWN,
  type StatusSummary,
  summariseStatus,
} from '../../../fleet/status-summary.ts';
import type { SummaryChange } from '../../ports/fleet.ts';
import type { ConsoleDatabase } from '../database.ts';
import { insertChange } from './changes.ts';
import { type KnownAgent, nameText, noteEnrolled } from './enrolled-agent.ts';
import { noteRelease } from './releases.ts';

/** Counts up when `summariseStatus` says more, or otherwise: what an older console wrote is then made again from the statuses. */
const MADE_BY = 2;
const REBUILT_AT_ONCE = 500;

/** Of the summary's column `rest`: what is shown, and not counted or sorted by. */
export interface SummaryRest {
  readonly suspended: StatusSummary['suspended'];
  readonly problem: StatusSummary['problem'];
  readonly commit: StatusSummary['commit'];
  readonly labels: StatusSummary['labels'];
  /** Absent: written by an older console. */
  readonly held?: StatusSummary['held'];
}

export interface SummaryWriter {
  /**
   * Notes what a status says, and what it changed. To be called within the transaction that stores the status, so that the two
   * never differ.
   */
  record(agentId: string, status: Status, at: Date): SummaryChange;
  /** Makes the summaries of statuses that were stored before there were any, or by an older console. */
  rebuild(): void;
}

interface Before extends KnownAgent {
  last_seen_at: string | null;
  revoked_at: string | null;
  reported_at: string | null;
  state: AgentState | null;
  state_since: string | null;
  desired_revision: string | null;
  applied_revision: string | null;
  flow_rows: string | null;
  rest: string | null;
  status_text: string | null;
}

const UNCHANGED: SummaryChange = { state: false, flows: false, revisions: false };

export function createSummaryWriter(database: ConsoleDatabase): SummaryWriter {
  const before = (agentId: string) =>
    database
      .prepare(
        `SELECT a.agent_id, a.slug, a.hostname, a.enrolled_at, a.last_seen_at, a.revoked_at, s.reported_at, s.state, s.state_since, s.desired_revision,
           s.applied_revision, d.flow_rows, d.rest, d.status_text
         FROM agents a LEFT JOIN agent_summaries s ON s.agent_id = a.agent_id LEFT JOIN agent_details d ON d.agent_id = a.agent_id
         WHERE a.agent_id = ?`,
      )
      .get(agentId) as Before | undefined;

  const save = (
    agentId: string,
    row: Before,
    summary: StatusSummary,
    texts: Texts,
    state: AgentState,
    stateSince: string,
    at: string,
  ) => {
    database
      .prepare(
        `INSERT INTO agent_summaries (agent_id, made_by, reported_at, stalled, ready, health, is_suspended, state, state_since,
           hostname, agent_version, os, arch, desired_revision, applied_revision, last_sync_at, running, queued, flows,
           held, problem_reason)
         VALUES (:agent, ${MADE_BY}, :at, :stalled, :ready, :health, :suspended, :state, :since, :hostname, :version, :os, :arch,
           :desired, :applied, :sync, :running, :queued, :flows, :held, :reason)
         ON CONFLICT (agent_id) DO UPDATE SET made_by = excluded.made_by, reported_at = excluded.reported_at,
           stalled = excluded.stalled, ready = excluded.ready, health = excluded.health, is_suspended = excluded.is_suspended,
           state = excluded.state, state_since = excluded.state_since, hostname = excluded.hostname,
           agent_version = excluded.agent_version, os = excluded.os, arch = excluded.arch,
           desired_revision = excluded.desired_revision, applied_revision = excluded.applied_revision,
           last_sync_at = excluded.last_sync_at, running = excluded.running, queued = excluded.queued, flows = excluded.flows,
           held = excluded.held, problem_reason = excluded.problem_reason`,
      )
      .run({
        agent: agentId,
        at,
        stalled: Number(summary.stalled),
        ready: Number(summary.ready),
        health: summary.health,
        suspended: Number(summary.suspended !== null),
        state,
        since: stateSince,
        hostname: row.hostname,
        version: summary.agentVersion,
        os: summary.os,
        arch: summary.arch,
        desired: summary.desiredRevision,
        applied: summary.appliedRevision,
        sync: summary.lastSyncAt,
        running: summary.running,
        queued: summary.queued,
        flows: summary.flows.length,
        held: summary.flows.filter((flow) => flow.held).length,
        reason: summary.problem?.reason ?? null,
      });
    if (isSame(row, texts) && row.status_text === summary.text) return;
    database
      .prepare(
        `INSERT INTO agent_details (agent_id, rest, flow_rows, name_text, status_text) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (agent_id) DO UPDATE SET rest = excluded.rest, flow_rows = excluded.flow_rows,
           name_text = excluded.name_text, status_text = excluded.status_text`,
      )
      .run(agentId, texts.rest, texts.flowRows, nameText(agentId, row.hostname), summary.text);
  };

  const saveFlows = (agentId: string, slug: string, flows: readonly FlowSummary[]) => {
    database.prepare('DELETE FROM agent_flows WHERE agent_id = ?').run(agentId);
    for (const { flow, runtime, desired, active, health, held } of flows) {
      database
        .prepare(
          `INSERT INTO agent_flows (agent_id, flow, slug, runtime, desired_version, active_version, health, is_held)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
        )
        .run(agentId, flow, slug, runtime, desired, active, health, Number(held));
    }
  };

  const noteRevisions = (slug: string, summary: StatusSummary, at: Date) => {
    for (const revision of new Set([summary.appliedRevision, summary.desiredRevision])) {
      if (revision === null) continue;
      const isOfCommit = summary.commitOf === revision;
      noteRelease(
        database,
        {
          tenant: slug,
          revision,
          commit: isOfCommit ? summary.commit : null,
          seq: summary.desiredRevision === revision ? summary.seq : null,
        },
        at,
      );
    }
  };

  return {
    record(agentId, status, at) {
      const row = before(agentId);
      if (row === undefined || row.revoked_at !== null) return UNCHANGED;
      if (row.state === null) noteEnrolled(database, row);
      const summary = summariseStatus(status);
      const state = stateOf(row, summary, at, at);
      const texts = textsOf(summary);
      const flowsChanged = row.flow_rows !== texts.flowRows;
      const revisionsChanged =
        row.reported_at === null ||
        row.desired_revision !== summary.desiredRevision ||
        row.applied_revision !== summary.appliedRevision;
      // What was said is read again only where something else is said now: most reports say the same.
      if (revisionsChanged || row.state !== state || !isSame(row, texts)) {
        for (const change of statusChanges(knownOf(row), summary, state)) {
          insertChange(database, { ...change, agent_id: agentId, tenant: row.slug }, at);
        }
      }
      const now = at.toISOString();
      const since = row.state === state ? (row.state_since ?? now) : now;
      save(agentId, row, summary, texts, state, since, now);
      if (flowsChanged) saveFlows(agentId, row.slug, summary.flows);
      if (revisionsChanged || summary.commitOf !== null) noteRevisions(row.slug, summary, at);
      return { state: row.state !== state, flows: flowsChanged, revisions: revisionsChanged };
    },
    rebuild() {
      for (;;) {
        const rows = database
          .prepare(
            `SELECT t.agent_id, t.body, t.received_at FROM statuses t LEFT JOIN agent_summaries s ON s.agent_id = t.agent_id
             WHERE s.agent_id IS NULL OR s.made_by <> ${MADE_BY} ORDER BY t.received_at LIMIT ${REBUILT_AT_ONCE}`,
          )
          .all() as { agent_id: string; body: string; received_at: string }[];
        if (rows.length === 0) return;
        database.transaction(() => {
          for (const { agent_id: agentId, body, received_at: at } of rows) {
            const row = before(agentId) as Before;
            if (row.state === null) noteEnrolled(database, row);
            // Written by this console or an older one, so checked then; a status has only ever been added to.
            const status = Status.loose().safeParse(JSON.parse(body));
            const summary = status.success ? summariseStatus(status.data) : NOTHING_KNOWN;
            const received = new Date(at);
            // What was noted since (that it fell silent) holds: it would be noted, and counted, a second time.
            const isNoted = row.state !== null && row.state !== 'waiting';
            const said = stateOf(row, summary, new Date(row.last_seen_at ?? at), received);
            const state = isNoted ? (row.state as AgentState) : said;
            const since = row.state_since ?? summary.problem?.since ?? at;
            save(agentId, row, summary, textsOf(summary), state, since, at);
            saveFlows(agentId, row.slug, row.revoked_at === null ? summary.flows : []);
            noteRevisions(row.slug, summary, received);
          }
        });
      }
    },
  };
}

/** As they are kept, so that they are compared without being read. */
interface Texts {
  readonly rest: string;
  readonly flowRows: string;
}

function textsOf({ suspended, problem, commit, labels, held, flows }: StatusSummary): Texts {
  const rest: SummaryRest = { suspended, problem, commit, labels, held };
  return { rest: JSON.stringify(rest), flowRows: JSON.stringify(flows) };
}

function isSame(row: Before, texts: Texts): boolean {
  return row.rest === texts.rest && row.flow_rows === texts.flowRows;
}

function stateOf({ revoked_at }: Before, summary: StatusSummary, lastSeenAt: Date, now: Date): AgentState {
  return agentState(standingOf(summary, { revoked: revoked_at !== null, lastSeenAt }), now);
}

/** What the agent was known to say. It is read only where something else is said now. */
function knownOf(row: Before): KnownStanding {
  const rest = row.rest === null ? null : (JSON.parse(row.rest) as SummaryRest);
  return {
    state: row.state,
    suspended: rest?.suspended ?? null,
    appliedRevision: row.applied_revision,
    flows: JSON.parse(row.flow_rows ?? '[]') as FlowSummary[],
  };
}
