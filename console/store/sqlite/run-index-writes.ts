import type { ConsoleRunState } from '../../../schemas/console/run.ts';
import type { RunStatus, TriggerKind } from '../../../schemas/run.ts';
import type { ConsoleDatabase } from './database.ts';

/** What a report, or the word that a run has ended, says of it. */
export interface EndedRun {
  readonly run_id: string;
  readonly attempt: number;
  readonly flow: string;
  readonly version: string | null;
  readonly status: RunStatus;
  readonly exit_code: number | null;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly trigger?: TriggerKind;
  readonly reason?: string | null;
  readonly sha256?: string | null;
  readonly revision?: string | null;
}

type Database = Pick<ConsoleDatabase, 'prepare'>;
const NOT_BEGUN = `('asked', 'queued', 'refused', 'expired')`;
/** Of an agent that is not there (any more) nothing is listed. */
const OF_AGENT = 'SELECT agent_id, slug FROM agents WHERE agent_id = :agent';

/** For the works of the stores that write of runs; each is a part of their step. A command asks for the run. */
export function noteRunAsked(
  { prepare }: Database,
  run: { agent_id: string; run_id: string; flow: string; version: string | null },
  at: Date,
): void {
  prepare(
    `INSERT INTO run_index (agent_id, slug, run_id, flow, version, state, trigger, attempt, asked_at, received_at)
     SELECT agent_id, slug, :run, :flow, :version, 'asked', 'command', 0, :at, :at FROM (${OF_AGENT}) WHERE true
     ON CONFLICT (agent_id, run_id) DO UPDATE SET asked_at = excluded.asked_at, state = 'asked', reason = NULL
       WHERE state IN ('refused', 'expired')`,
  ).run({
    agent: run.agent_id,
    run: run.run_id,
    flow: run.flow,
    version: run.version,
    at: at.toISOString(),
  });
}

/** What became of the command. It changes nothing of a run that has begun. */
export function noteRunAnswered(
  { prepare }: Database,
  run: { agent_id: string; run_id: string },
  state: Extract<ConsoleRunState, 'queued' | 'refused' | 'expired'>,
  reason: string | null,
  at: string,
): void {
  prepare(
    `UPDATE run_index SET state = :state, reason = :reason, finished_at = CASE :state WHEN 'queued' THEN NULL ELSE :at END,
       received_at = :at
     WHERE agent_id = :agent AND run_id = :run AND state = 'asked'`,
  ).run({ agent: run.agent_id, run: run.run_id, state, reason, at });
}

/** The agent is one no more: what it had not ended, nobody will hear the end of. */
export function noteRunsLost({ prepare }: Database, agentId: string, why: string, at: Date): void {
  prepare(
    `UPDATE run_index SET state = 'lost', reason = :why, finished_at = :at, received_at = :at
     WHERE agent_id = :agent AND state IN ('asked', 'queued', 'running')`,
  ).run({ agent: agentId, why, at: at.toISOString() });
}

/** Of no effect on a run that has ended, unless it is a later attempt; nor of an agent that is one no more, of which no end is heard. */
export function noteRunStarted(
  { prepare }: Database,
  agentId: string,
  run: { run_id: string; attempt: number; flow: string; version: string; at: string },
  at: Date,
): void {
  prepare(
    `INSERT INTO run_index (agent_id, slug, run_id, flow, version, state, attempt, started_at, received_at)
     SELECT agent_id, slug, :run, :flow, :version, 'running', :attempt, :started, :at FROM (${OF_AGENT} AND revoked_at IS NULL) WHERE true
     ON CONFLICT (agent_id, run_id) DO UPDATE SET state = 'running', attempt = excluded.attempt, flow = excluded.flow,
       version = excluded.version, started_at = coalesce(started_at, excluded.started_at), finished_at = NULL, reason = NULL,
       received_at = excluded.received_at
       WHERE state IN ${NOT_BEGUN} OR attempt < excluded.attempt`,
  ).run({
    agent: agentId,
    run: run.run_id,
    flow: run.flow,
    version: run.version,
    attempt: run.attempt,
    started: run.at,
    at: at.toISOString(),
  });
}

/** By its report, or by the word that comes before it. An earlier attempt changes nothing of a later one. */
export function noteRunEnded({ prepare }: Database, agentId: string, run: EndedRun, at: Date): void {
  prepare(
    `INSERT INTO run_index (agent_id, slug, run_id, flow, version, state, trigger, attempt, exit_code, reason, sha256, revision,
       started_at, finished_at, received_at)
     SELECT agent_id, slug, :run, :flow, :version, :state, :trigger, :attempt, :exit_code, :reason, :sha256, :revision,
       :started, :finished, :at FROM (${OF_AGENT}) WHERE true
     ON CONFLICT (agent_id, run_id) DO UPDATE SET state = excluded.state, attempt = excluded.attempt, flow = excluded.flow,
       version = coalesce(excluded.version, version), trigger = coalesce(excluded.trigger, trigger),
       exit_code = excluded.exit_code, reason = coalesce(excluded.reason, reason), sha256 = coalesce(excluded.sha256, sha256),
       revision = coalesce(excluded.revision, revision), started_at = coalesce(excluded.started_at, started_at),
       finished_at = excluded.finished_at, received_at = excluded.received_at
       WHERE attempt <= excluded.attempt`,
  ).run({
    agent: agentId,
    run: run.run_id,
    flow: run.flow,
    version: run.version,
    state: run.status,
    trigger: run.trigger ?? null,
    attempt: run.attempt,
    exit_code: run.exit_code,
    reason: run.reason ?? null,
    sha256: run.sha256 ?? null,
    revision: run.revision ?? null,
    started: run.started_at,
    finished: run.finished_at,
    at: at.toISOString(),
  });
}
