import { createHash, randomUUID } from 'node:crypto';
import type { EventDraft } from '../../../schemas/event.ts';
import type { RunReport, RunSummary } from '../../../schemas/run.ts';
import type { Condition, FlowStatus, Status, Suspension } from '../../../schemas/status.ts';
import type { CastMember } from './cast.ts';
import type { Device } from './device.ts';
import type { RunText } from './output.ts';
import type { PublishedFlow, PublishedRelease } from './publisher.ts';
import type { Setback } from './setbacks.ts';

/** One agent as it would be: what has become of it, said to the console in the order in which it happened. */
export interface Machine {
  readonly member: CastMember;
  readonly device: Device;
  /** Of the last release it has applied in full. */
  readonly applied: PublishedRelease | null;
  readonly suspended: Suspension | null;
  started(at: Date): Promise<void>;
  connected(at: Date): Promise<void>;
  /** A reconcile that came to its end: everything of the release is active. */
  applies(release: PublishedRelease, at: Date): Promise<void>;
  /** A reconcile that did not: other flows than the setback's are applied, or none when it is about the revision. */
  isSetBack(release: PublishedRelease, setback: Setback, at: Date): Promise<void>;
  /** A reconcile under way: this flow is in this phase. */
  isAt(release: PublishedRelease, flow: string, phase: FlowStatus['phase'], at: Date): Promise<void>;
  /** A service that does not stay up. */
  serviceBreaks(flow: string, at: Date): Promise<void>;
  suspends(suspension: Suspension, at: Date): Promise<void>;
  resumes(by: string, at: Date): Promise<void>;
  /** To the version before, and held there. */
  rollsBack(flow: string, by: string, why: string, at: Date): Promise<void>;
  /** What came of a command, in its log. */
  answers(
    command: { readonly command_id: string; readonly flow?: string; readonly run_id?: string },
    message: string,
    at: Date,
  ): Promise<void>;
  /** A run from its beginning to its report, which is sent at `at`. */
  runs(run: RunStart & { readonly tookMs: number; readonly text: RunText }, at: Date): Promise<void>;
  /** A run begins and goes on; its log is sent as far as it is. */
  begins(run: RunStart, at: Date): Promise<OpenRun>;
  /** Sends the status as it is. */
  reports(at: Date): Promise<void>;
}

export interface RunStart {
  readonly flow: string;
  readonly trigger: RunReport['trigger'];
  readonly runId?: string;
  /** Through the tunnel, too: the live log. */
  readonly live?: boolean;
}

/** A run that has not ended. */
export interface OpenRun {
  readonly runId: string;
  prints(stream: 'stdout' | 'stderr', text: string): Promise<void>;
  /** `text`: what it prints last, beside what it has printed, and how it ends. */
  ends(text: RunText, at: Date): Promise<void>;
}

/** 64 KiB in base64 is the most one frame takes; whole characters of UTF-8 are not needed. */
const LOG_FRAME_BYTES = 60_000;
const MINUTE_MS = 60_000;

export function createMachine(member: CastMember, device: Device): Machine {
  const { slug } = member.tenant;
  const flows = new Map<string, FlowStatus>();
  let conditions: Condition[] = [];
  let desired: PublishedRelease | null = null;
  let applied: PublishedRelease | null = null;
  let suspended: Suspension | null = null;
  let tunnelSince: string | null = null;
  let lastSync: string | null = null;
  let nextAttempt: string | null = null;
  let last: RunSummary | null = null;
  let running = 0;
  const configDigest = createHash('sha256').update(member.hostname).digest('hex');

  const mine = (release: PublishedRelease) =>
    release.flows.filter(({ os }) => os === null || os === member.os);

  const event = (at: Date, draft: EventDraft) => ({ ...draft, time: at.toISOString() });
  const tell = (drafts: ReturnType<typeof event>[]) => device.events(drafts);

  const condition = (
    type: Condition['type'],
    status: Condition['status'],
    reason: string,
    message: string,
    at: Date,
  ): Condition => {
    const before = conditions.find((each) => each.type === type);
    const changed_at = before?.status === status ? before.changed_at : at.toISOString();
    return { type, status, reason, message, observed_revision: desired?.revision ?? null, changed_at };
  };

  const status = (at: Date): Status => ({
    agent_id: device.agentId,
    tenant: slug,
    agent_version: member.agentVersion,
    os: member.os,
    arch: member.arch,
    labels: member.labels,
    generated_at: at.toISOString(),
    trust: {
      mode: 'required',
      root_version: desired === null ? null : 1,
      seq: desired?.seq ?? null,
      release_expires: desired?.expires ?? null,
    },
    suspended,
    config: { digest: configDigest, error: null },
    source: {
      kind: 'git',
      desired_revision: desired?.revision ?? null,
      last_attempted_revision: desired?.revision ?? null,
      last_applied_revision: applied?.revision ?? null,
      last_sync_at: lastSync,
      next_attempt_at: nextAttempt,
      commit: desired?.commit ?? null,
    },
    tunnel: { state: device.connected ? 'connected' : 'none', since: tunnelSince },
    flows: [...flows.values()].toSorted((a, b) => a.id.localeCompare(b.id)),
    conditions,
    runs: { running, queued: 0, last },
    outbox: { pending: 0, oldest_at: null, parked: 0 },
    disk: { used: 412_000_000 + flows.size * 61_000_000, free: 48_000_000_000 },
    clock_offset_ms: 12,
    isolation: member.os === 'linux' ? 'cgroup' : 'process',
    identity: { state: 'enrolled', since: null, message: null },
  });
  const send = (at: Date) => device.status(status(at));

  /** The revision is seen and believed. */
  const look = (release: PublishedRelease, at: Date) => {
    const { revision, seq } = release;
    const before = desired;
    desired = release;
    lastSync = at.toISOString();
    if (before?.revision === revision) return [];
    return [
      event(at, {
        severity: 'info',
        reason: 'RevisionSeen',
        message: `the branch is at ${revision}`,
        revision,
        ...(before === null ? {} : { because: `it was at ${before.revision}` }),
      }),
      event(at, {
        severity: 'info',
        reason: 'ReleaseVerified',
        message: `manifest.json is signed, seq ${seq}, root 1 (trust.mode required)`,
        revision,
      }),
    ];
  };

  const flowStatus = (flow: PublishedFlow, at: Date, change: Partial<FlowStatus>): FlowStatus => ({
    id: flow.id,
    runtime: flow.runtime,
    desired_version: flow.version,
    active_version: null,
    previous_version: null,
    health: 'unknown',
    phase: 'pending',
    since: at.toISOString(),
    held: null,
    quarantined: null,
    service: null,
    ...flows.get(flow.id),
    ...change,
  });

  const activate = (flow: PublishedFlow, revision: string, at: Date) => {
    const before = flows.get(flow.id);
    if (before?.active_version === flow.version && before.held === null) return [];
    const was = before?.active_version ?? null;
    const { id, version, size, sha256 } = flow;
    const about = { flow: id, version, revision };
    const service = flow.runtime === 'service';
    const port = 41_000 + (Number.parseInt(sha256.slice(0, 3), 16) % 900);
    flows.set(
      id,
      flowStatus(flow, at, {
        active_version: version,
        desired_version: version,
        previous_version: was,
        health: 'healthy',
        phase: 'active',
        since: at.toISOString(),
        held: null,
        quarantined: null,
        service: service
          ? {
              state: 'ready',
              version,
              port,
              pid: 4_000 + port,
              url: `http://127.0.0.1:${port}`,
              restarts: 0,
              since: at.toISOString(),
              message: null,
            }
          : null,
      }),
    );
    const because =
      was === null
        ? `the manifest names ${version} (${sha256.slice(0, 8)}) and nothing is active`
        : `the manifest names ${version} (${sha256.slice(0, 8)}) and ${was} is active`;
    const info = (reason: EventDraft['reason'], message: string) =>
      event(at, { severity: 'info', reason, message, because, ...about });
    return [
      info('BundleFetched', `flow ${id}: ${size} bytes downloaded, SHA-256 ${sha256} verified`),
      info('BundleUnpacked', `flow ${id}: 1 file (${size * 3} bytes) unpacked to flows/${id}/${version}`),
      info('VersionActivated', `flow ${id}: ${version} is active${was === null ? '' : `, ${was} was`}`),
      ...(service
        ? [info('ServiceReady', `flow ${id}: ${version} answers at http://127.0.0.1:${port}`)]
        : []),
    ];
  };

  const summary = (run: RunReport): RunSummary => {
    const { run_id, flow, version, trigger, attempt, started_at, finished_at, exit_code, reason } = run;
    const queued_at = started_at ?? finished_at;
    return {
      run_id,
      flow,
      version,
      state: run.status,
      trigger,
      attempt,
      queued_at,
      started_at,
      finished_at,
      exit_code,
      reason,
    };
  };

  const begins = async (
    { flow, trigger, runId = randomUUID(), live }: RunStart,
    at: Date,
  ): Promise<OpenRun> => {
    const { active_version: version = null } = flows.get(flow) ?? {};
    const sha256 = applied?.flows.find((each) => each.id === flow)?.sha256 ?? null;
    const revision = applied?.revision ?? null;
    const about = { flow, run_id: runId, ...(version && { version }), ...(revision && { revision }) };
    const because = trigger === 'schedule' ? 'its schedule is due' : `triggered by ${trigger}`;
    const said = (reason: EventDraft['reason'], severity: EventDraft['severity'], what: string, time: Date) =>
      event(time, { severity, reason, message: `run ${runId} of flow ${flow}: ${what}`, because, ...about });
    const tunnel = live !== false && device.connected;
    const offsets = { stdout: 0, stderr: 0 };
    const printed = { stdout: '', stderr: '' };
    running += 1;
    await tell([said('RunStarted', 'info', 'attempt 1 is started', at)]);
    if (tunnel)
      await device.send('edgeflows.run.started', {
        run_id: runId,
        attempt: 1,
        flow,
        version: version ?? 'unknown',
        at: at.toISOString(),
      });
    const prints = async (stream: 'stdout' | 'stderr', text: string) => {
      printed[stream] += text;
      const bytes = Buffer.from(text, 'utf8');
      for (let from = 0; tunnel && from < bytes.length; from += LOG_FRAME_BYTES) {
        const part = bytes.subarray(from, from + LOG_FRAME_BYTES);
        const data = part.toString('base64');
        await device.send('edgeflows.run.log', {
          run_id: runId,
          attempt: 1,
          stream,
          offset: offsets[stream],
          data,
        });
        offsets[stream] += part.length;
      }
    };
    return {
      runId,
      prints,
      async ends(text, end) {
        running -= 1;
        await prints('stdout', text.stdout);
        await prints('stderr', text.stderr);
        const report: RunReport = {
          run_id: runId,
          ...printed,
          status: text.status,
          attempt: 1,
          flow,
          version,
          sha256,
          revision,
          trigger,
          exit_code: text.exitCode,
          reason: text.reason,
          started_at: at.toISOString(),
          finished_at: end.toISOString(),
          truncated: { stdout: 0, stderr: 0 },
          outputs: text.files.map(({ name, bytes }) => ({
            name,
            size: bytes.length,
            sha256: createHash('sha256').update(bytes).digest('hex'),
          })),
        };
        const { stdout: _stdout, stderr: _stderr, ...completed } = report;
        if (tunnel) await device.send('edgeflows.run.completed', completed);
        const [reason, severity] = ENDED[text.status];
        await tell([said(reason, severity, text.reason ?? `exit code ${text.exitCode}`, end)]);
        await device.notify(report, text.files);
        last = summary(report);
      },
    };
  };

  const machine: Machine = {
    member,
    device,
    get applied() {
      return applied;
    },
    get suspended() {
      return suspended;
    },
    async started(at) {
      const message = `edge-agent ${member.agentVersion} is running`;
      await tell([event(at, { severity: 'info', reason: 'AgentStarted', message })]);
      conditions = [
        {
          type: 'Ready',
          status: 'Unknown',
          reason: 'NotReconciled',
          message: 'nothing was reconciled yet; run "edge-agent reconcile" or start the agent',
          observed_revision: null,
          changed_at: at.toISOString(),
        },
      ];
      await send(at);
    },
    async connected(at) {
      tunnelSince = at.toISOString();
      const message = 'the tunnel is open';
      await tell([event(at, { severity: 'info', reason: 'TunnelConnected', message })]);
    },
    async applies(release, at) {
      const seen = look(release, at);
      const activated = mine(release).flatMap((flow) => activate(flow, release.revision, at));
      for (const id of flows.keys()) if (!mine(release).some((flow) => flow.id === id)) flows.delete(id);
      const message = `${release.revision} is applied in full`;
      const done =
        applied?.revision === release.revision
          ? []
          : [event(at, { severity: 'info', reason: 'RevisionApplied', message, revision: release.revision })];
      applied = release;
      nextAttempt = new Date(at.getTime() + MINUTE_MS).toISOString();
      conditions = [condition('Ready', 'True', 'RevisionApplied', message, at)];
      await tell([...seen, ...activated, ...done]);
      await send(at);
    },
    async isSetBack(release, setback, at) {
      const { code, message, reason } = setback;
      const seen = setback.reason === 'SourceFailed' ? [] : look(release, at);
      const others = setback.flow === null ? [] : mine(release).filter(({ id }) => id !== setback.flow);
      const activated = others.flatMap((flow) => activate(flow, release.revision, at));
      const flow = mine(release).find(({ id }) => id === setback.flow);
      if (flow !== undefined) {
        const phase = setback.kind === 'retry' ? 'retrying' : setback.kind;
        const bad = { sha256: flow.sha256, reason: message };
        const found = code === 'quarantined' ? bad : null;
        flows.set(
          flow.id,
          flowStatus(flow, at, {
            phase,
            since: at.toISOString(),
            quarantined: found,
            desired_version: flow.version,
            ...(code === 'health_failed' ? { health: 'unknown' } : {}),
          }),
        );
      }
      const about = flow === undefined ? {} : { flow: flow.id, version: flow.version };
      const revision = setback.reason === 'SourceFailed' ? {} : { revision: release.revision };
      const severity = setback.kind === 'retry' ? 'warning' : 'error';
      const retry = setback.kind === 'retry';
      nextAttempt = new Date(at.getTime() + (retry ? 4 : 1) * MINUTE_MS).toISOString();
      conditions = [
        condition('Ready', 'False', code, message, at),
        condition(retry ? 'Reconciling' : 'Stalled', 'True', code, message, at),
      ];
      const draft = event(at, { severity, reason, message, because: code, ...about, ...revision });
      await tell([...seen, ...activated, draft]);
      await send(at);
    },
    async isAt(release, id, phase, at) {
      const seen = look(release, at);
      const flow = mine(release).find((each) => each.id === id) ?? mine(release)[0];
      if (flow === undefined) return;
      flows.set(
        flow.id,
        flowStatus(flow, at, { phase, since: at.toISOString(), desired_version: flow.version }),
      );
      const message = `applying ${release.revision}`;
      conditions = [
        condition('Ready', 'False', 'Progressing', message, at),
        condition('Reconciling', 'True', 'Progressing', message, at),
      ];
      await tell(seen);
      await send(at);
    },
    async serviceBreaks(id, at) {
      const flow = flows.get(id);
      if (flow?.service == null) return;
      const { active_version: version } = flow;
      const message = `the process ended: exit code 1 (OSError: [Errno 98] Address already in use)`;
      flows.set(id, {
        ...flow,
        health: 'unhealthy',
        service: {
          ...flow.service,
          state: 'broken',
          pid: null,
          url: null,
          restarts: 5,
          since: at.toISOString(),
          message,
        },
      });
      conditions = [condition('Ready', 'False', 'unhealthy', `unhealthy: ${id}`, at)];
      await tell([
        event(at, {
          severity: 'error',
          reason: 'ServiceBroken',
          message: `flow ${id}: ${message}`,
          flow: id,
          ...(version && { version }),
          ...(applied && { revision: applied.revision }),
        }),
      ]);
      await send(at);
    },
    async suspends(suspension, at) {
      suspended = suspension;
      const until = suspension.until === null ? '' : ` until ${suspension.until}`;
      const message = `activation is suspended by ${suspension.by}${until}`;
      await tell([event(at, { severity: 'warning', reason: 'Suspended', message, because: suspension.why })]);
      await send(at);
    },
    async resumes(by, at) {
      const before = suspended;
      suspended = null;
      const message = `activation is resumed by ${by}`;
      const because = `it was suspended by ${before?.by}: ${before?.why}`;
      if (before !== null) await tell([event(at, { severity: 'info', reason: 'Resumed', message, because })]);
      for (const [id, flow] of flows) if (flow.held !== null) flows.set(id, { ...flow, held: null });
      await send(at);
    },
    async rollsBack(id, by, why, at) {
      const flow = flows.get(id);
      if (flow === undefined || flow.previous_version === null) return;
      const { previous_version: version, active_version: was } = flow;
      flows.set(id, {
        ...flow,
        active_version: version,
        previous_version: was,
        held: { by, why },
        since: at.toISOString(),
      });
      const message = `flow ${id}: ${version} is active again, ${was} was; held by ${by}`;
      const held = `${desired?.revision} is applied in full; held after a rollback: ${id} at ${version} ("edge-agent resume" lets go)`;
      conditions = [condition('Ready', 'True', 'RevisionApplied', held, at)];
      await tell([
        event(at, { severity: 'warning', reason: 'RolledBack', message, because: why, flow: id, version }),
      ]);
      await send(at);
    },
    async answers({ command_id, flow, run_id }, message, at) {
      const version = run_id === undefined && flow !== undefined ? flows.get(flow)?.active_version : null;
      const about = {
        ...(flow === undefined ? {} : { flow }),
        ...(version === null || version === undefined ? {} : { version }),
        ...(run_id === undefined ? {} : { run_id }),
        command_id,
      };
      const said = `command ${command_id}: ${message}`;
      await tell([event(at, { severity: 'info', reason: 'CommandDone', message: said, ...about })]);
    },
    begins,
    async runs({ tookMs, text, ...start }, at) {
      const run = await begins(start, new Date(at.getTime() - tookMs));
      await run.ends(text, at);
    },
    async reports(at) {
      lastSync = at.toISOString();
      await send(at);
    },
  };
  return machine;
}

const ENDED = {
  succeeded: ['RunSucceeded', 'info'],
  failed: ['RunFailed', 'error'],
  timed_out: ['RunTimedOut', 'error'],
  cancelled: ['RunCancelled', 'warning'],
  lost: ['RunLost', 'error'],
} as const;
