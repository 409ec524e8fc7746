import type { Chance, Clock, ReportSink } from '../reconciler/ports.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import type { Event } from '../schemas/event.ts';
import type { Status } from '../schemas/status.ts';
import { type EventLog, openEventLog } from '../sinks/event-log.ts';
import { createOutbox, type Outbox } from '../sinks/outbox.ts';
import { createSaasClient } from '../sinks/saas-client.ts';
import { createTunnelFeed } from '../sinks/tunnel-feed.ts';
import { createUploadCall } from '../sinks/upload-call.ts';
import type { HttpClient } from '../system/http-client.ts';
import type { Log } from '../system/log.ts';
import { scrubText } from '../system/redaction.ts';
import type { IdentityStanding } from './identity-standing.ts';
import type { AgentPaths } from './paths.ts';
import { createRunOutputReader, type RunFiles } from './run-files.ts';
import type { AgentState } from './state.ts';
import { createUploads, type Uploads } from './uploads.ts';

export interface ReportingInputs {
  readonly state: AgentState;
  /** In force now. */
  readonly config: () => AgentConfig;
  readonly paths: () => AgentPaths;
  readonly runFiles: RunFiles;
  /** Of the SaaS; made anew when agent.yaml changes. */
  readonly saas: () => HttpClient;
  readonly authorize: (method: string, url: URL) => Promise<string>;
  readonly standing: Pick<IdentityStanding, 'listening'>;
  readonly status: () => Status;
  /** A daemon's log tells what it does; a command shows that itself. */
  readonly daemon: boolean;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

/** Everything that goes out: the event log, the outbox with its uploads, and what is told through the tunnel. */
export interface Reporting {
  readonly events: EventLog;
  readonly outbox: Outbox;
  readonly uploads: Uploads;
  readonly feed: ReturnType<typeof createTunnelFeed>;
  /** Whoever changes the status tells both ways out: the outbox, and the tunnel while there is one. */
  readonly reports: ReportSink;
}

export function createReporting(inputs: ReportingInputs): Reporting {
  const { config, authorize, clock, chance, log } = inputs;
  const { documents, queue } = inputs.state;
  const events = openEventLog({
    directory: inputs.paths().state,
    tenant: config().tenant,
    agentId: () => config().agent_id ?? null,
    documents,
    clock,
    chance,
    log,
    scrub: scrubText,
    maxBytes: config().log.max_size,
    maxFiles: config().log.max_files,
    keepFrom: () => (config().saas_url === undefined ? Number.POSITIVE_INFINITY : outbox.eventsTakenBefore()),
    onAppend(event) {
      outbox.eventsWritten();
      if (inputs.daemon) logEvent(event, log);
    },
  });
  const uploads = createUploads({
    settings: () => ({ config: config(), paths: inputs.paths() }),
    queue,
    others: inputs.state.others,
    events,
    clock,
    log,
    queued: (asked) => outbox.uploadsQueued(asked),
  });
  /** Null until this machine is enrolled: reports wait. */
  const saasUrl = () => (config().agent_id === undefined ? null : (config().saas_url ?? null));
  const outbox: Outbox = createOutbox({
    queue,
    history: events,
    events,
    documents,
    statusProvider: inputs.status,
    clock,
    chance,
    log,
    post: () => {
      const url = saasUrl();
      if (url === null) return null;
      const { post } = createSaasClient({ client: inputs.saas(), saasUrl: url, authorize, clock });
      return inputs.standing.listening(post);
    },
    uploads: {
      consent: uploads.consent,
      target: () => {
        const url = saasUrl();
        if (url === null) return null;
        return { call: createUploadCall({ client: inputs.saas(), authorize, clock }), saasUrl: url };
      },
    },
  });
  const feed = createTunnelFeed({
    output: createRunOutputReader(inputs.runFiles),
    clock,
    chance,
    onFault: (error) => log.error('what a run printed could not be sent through the tunnel', { error }),
  });
  feed.statusChanged(inputs.status);
  const reports: ReportSink = {
    run: (report) => outbox.run(report),
    statusChanged() {
      outbox.statusChanged();
      feed.statusChanged(inputs.status);
    },
  };
  return { events, outbox, uploads, feed, reports };
}

function logEvent({ reason, severity, message, because }: Event, log: Log): void {
  if (reason === 'AgentStarted' || reason === 'AgentStopped') return;
  const text = `${reason}: ${message}`;
  const fields = because === undefined ? undefined : { because };
  if (severity === 'info') log.info(text, fields);
  else if (severity === 'warning') log.warn(text, fields);
  else log.error(text, fields);
}
