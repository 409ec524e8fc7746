import type { ServiceStatus } from '../schemas/service.ts';
import type { Instance, Track } from './service-instance.ts';

/** How the service of a flow stands, for people: what answers counts, else what should. */
export function serviceStatus(now: {
  readonly wanted: Track | null;
  readonly serving: Instance | null;
  readonly candidate: Instance | null;
  readonly stopped: { readonly at: Date; readonly version: string | null };
}): ServiceStatus {
  const { wanted, serving, candidate, stopped } = now;
  if (wanted === null) {
    const { at, version } = stopped;
    const none = { port: null, pid: null, url: null, restarts: 0, message: null };
    return { state: 'stopped', version, ...none, since: at.toISOString() };
  }
  const shown = serving?.ended === null ? serving : null;
  const on = shown?.track ?? wanted;
  const beside = wanted === on ? null : wanted;
  const { state, restarts, message } = on.machine;
  const one = shown ?? candidate;
  return {
    state,
    version: on.desired.version,
    port: one?.service.port ?? null,
    pid: one?.service.process?.pid ?? null,
    url: shown === null ? null : `http://127.0.0.1:${shown.service.port}`,
    restarts,
    since: on.since.toISOString(),
    message: beside === null ? message : (beside.machine.message ?? `${beside.desired.version} is starting`),
  };
}

/** What a status says of a service where no daemon runs. */
export function unkeptStatus(version: string, since: Date): ServiceStatus {
  const none = { port: null, pid: null, url: null, restarts: 0 };
  return { state: 'stopped', version, ...none, since: since.toISOString(), message: UNKEPT };
}

const UNKEPT = 'a running agent keeps services, and none runs: start it with "edge-agent run"';
