import { formatDuration } from '../schemas/duration.ts';
import type { ServiceStatus } from '../schemas/service.ts';
import type {
  Chance,
  Clock,
  DesiredService,
  EventSink,
  RunSettings,
  ServiceLauncher,
  ServiceProcess,
  ServiceReplacement,
} from './ports.ts';
import type { ServiceRecords } from './service-records.ts';
import {
  afterService,
  newService,
  SERVICE_LIMITS,
  type ServiceEvent,
  type ServiceLimits,
  type ServiceMachine,
} from './service-state.ts';
import { traceparent } from './traceparent.ts';

/** Milliseconds between looks, and how long one may take. */
export interface ServiceTiming {
  /** For a flow without a `timeout` of its own: from the start until it is ready. */
  readonly readyWithinMs: number;
  readonly readyEveryMs: number;
  readonly liveEveryMs: number;
  readonly probeMs: number;
  /** How long one that was replaced still answers whoever knows no other. */
  readonly drainMs: number;
}

export const SERVICE_TIMING: ServiceTiming = {
  readyWithinMs: 60_000,
  readyEveryMs: 200,
  liveEveryMs: 10_000,
  probeMs: 5_000,
  drainMs: 5_000,
};

export interface ServiceDeps {
  readonly launcher: ServiceLauncher;
  readonly processes: ServiceRecords;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly tenant: string;
  readonly settings: () => RunSettings;
  readonly secrets: () => Promise<Readonly<Record<string, string>>>;
  /** `<state>/runs/service-<flow>/<slot>` */
  readonly runDirectory: (runId: string, attempt: number) => string;
  /** The status changed; `well`: whether what should answer does, null while that is being found out. Must not throw. */
  readonly onChange: (flow: string, well: boolean | null) => void;
  /** A bug of ours, or a disk that takes no more: the flow is tried again later. */
  readonly onFault: (error: unknown) => void;
  readonly limits?: ServiceLimits;
  readonly timing?: ServiceTiming;
}

/** One thing to keep: a version with its settings, and how it fares. */
interface Track {
  readonly desired: DesiredService;
  readonly identity: string;
  machine: ServiceMachine;
  since: Date;
}

interface Instance {
  readonly track: Track;
  readonly runId: string;
  readonly service: ServiceProcess;
  /** Set when it has ended. */
  ended: string | null;
}

interface Waiter {
  readonly track: Track;
  readonly answer: PromiseWithResolvers<ServiceReplacement>;
}

/** The service of one flow. At most two of its processes are meant to be: the one that answers, and its successor. */
export interface ServiceFlow {
  /** From now on; null stops it, and `done` resolves. */
  want(desired: DesiredService | null): void;
  replace(desired: DesiredService, again: boolean, signal: AbortSignal): Promise<ServiceReplacement>;
  /** Resolves when what had failed is ready, or has failed again. */
  retry(): Promise<void>;
  status(): ServiceStatus;
  leases(): string[];
  /** True once nothing is wanted any more and nothing is left. */
  over(): boolean;
  readonly done: Promise<void>;
}

/** Another process is needed when any of this differs. Secrets count by name: a new value is taken at the next start. */
function serviceIdentity(desired: DesiredService, settings: RunSettings): string {
  const { spec, sha256, path, entrypoint } = desired;
  const { args, env, secrets, service, runtime } = spec;
  const { allowRoot, user, timezone, proxy, caFile, python } = settings;
  const machine = { allowRoot, user, env: settings.env, timezone, proxy, caFile, python };
  return JSON.stringify([sha256, path, entrypoint, { args, env, secrets, service, runtime }, machine]);
}

const PORT_TAKEN = /address already in use|EADDRINUSE/i;

export function createServiceFlow(flow: string, deps: ServiceDeps): ServiceFlow {
  const { clock, events } = deps;
  const limits = deps.limits ?? SERVICE_LIMITS;
  const timing = deps.timing ?? SERVICE_TIMING;
  let wanted: Track | null = null;
  let serving: Instance | null = null;
  let candidate: Instance | null = null;
  const leaving = new Map<Instance, Promise<void>>();
  let waiters: Waiter[] = [];
  const tried: (() => void)[] = [];
  let wake = new AbortController();
  /** Nobody is waited for any more. */
  const ending = new AbortController();
  let over = false;
  let stopped = { at: clock.now(), version: null as string | null };

  const track = (desired: DesiredService): Track => ({
    desired,
    identity: serviceIdentity(desired, deps.settings()),
    machine: newService(clock.monotonicMs()),
    since: clock.now(),
  });

  function step(on: Track, event: ServiceEvent): void {
    const before = on.machine;
    on.machine = afterService(before, event, clock.monotonicMs(), limits);
    if (on.machine === before) return;
    if (on.machine.state !== before.state) on.since = clock.now();
    if (on.machine.state !== before.state || on.machine.message !== before.message) changed();
  }

  /** While a start is under way nothing is known yet. */
  function changed(): void {
    const state = wanted?.machine.state;
    if (state === 'ready') deps.onChange(flow, serving?.ended === null && serving.track === wanted);
    else deps.onChange(flow, state === 'restarting' || state === 'broken' ? false : null);
  }

  function settled(): void {
    for (const tell of tried.splice(0)) tell();
  }

  function set(next: Track | null): void {
    if (next === wanted) return;
    settled();
    if (next === null) stopped = { at: clock.now(), version: wanted?.desired.version ?? null };
    wanted = next;
    for (const { track: given, answer } of waiters) {
      // nothing was found out about it
      if (given !== next)
        answer.resolve({ kind: 'failed', message: 'something else is wanted since', started: false });
    }
    waiters = waiters.filter((waiter) => waiter.track === next);
    wake.abort();
    changed();
  }

  /** The track for it: the one that is kept already, or a new one. */
  function trackFor(desired: DesiredService): Track {
    const identity = serviceIdentity(desired, deps.settings());
    const known = [wanted, serving?.ended === null ? serving.track : null];
    return known.find((one) => one?.identity === identity) ?? track(desired);
  }

  function emit(
    on: Track,
    reason: 'ServiceReady' | 'ServiceFailed' | 'ServiceBroken' | 'ServiceStopped',
    message: string,
  ) {
    const severity = reason === 'ServiceReady' || reason === 'ServiceStopped' ? 'info' : 'error';
    const { version, revision } = on.desired;
    events.emit({ severity, reason, message: `flow ${flow}: ${message}`, flow, version, revision });
  }

  /** Ends a process, without waiting for it, after `drainMs`; `leaving` knows it until it is gone. */
  function retire(instance: Instance, drainMs = 0): Promise<void> {
    const known = leaving.get(instance);
    if (known !== undefined) return known;
    const gone = drained(instance, drainMs)
      .then(() => deps.processes.ended(flow, instance.runId))
      .catch(deps.onFault)
      .finally(() => leaving.delete(instance));
    leaving.set(instance, gone);
    return gone;
  }

  async function drained(instance: Instance, drainMs: number): Promise<void> {
    const { service } = instance;
    if (drainMs > 0) {
      const early = new AbortController();
      void service.ended.then(() => early.abort());
      await clock.sleep(drainMs, AbortSignal.any([early.signal, ending.signal])).catch(() => undefined);
    }
    service.stop();
    await service.ended;
  }

  async function launch(on: Track): Promise<Instance> {
    const { desired } = on;
    const runId = `service-${deps.chance.uuidv7()}`;
    const known = desired.spec.secrets.length === 0 ? {} : await deps.secrets();
    const named = desired.spec.secrets.flatMap((name) =>
      known[name] === undefined ? [] : [[name, known[name]]],
    );
    const { version, path } = desired;
    const slot = deps.processes.begin(flow, { run_id: runId, version, path });
    const service = await deps.launcher.launch(
      {
        spec: desired.spec,
        directory: desired.directory,
        entrypoint: desired.entrypoint,
        runId,
        attempt: on.machine.restarts + 1,
        tenant: deps.tenant,
        version,
        runDirectory: deps.runDirectory(`service-${flow}`, slot),
        input: {},
        timeoutMs: Number.MAX_SAFE_INTEGER,
        secrets: Object.fromEntries(named) as Record<string, string>,
        traceparent: traceparent(deps.chance),
      },
      deps.settings(),
    );
    const instance: Instance = { track: on, runId, service, ended: null };
    void service.ended.then((why) => (instance.ended = why));
    try {
      deps.processes.started(flow, runId, service.process);
    } catch (error) {
      // it runs: a next life of the agent still finds it by its run id
      deps.onFault(error);
    }
    return instance;
  }

  /** A sentence when it will not be; interrupted when something else is wanted. */
  async function untilReady(
    instance: Instance,
    signal: AbortSignal,
  ): Promise<{ why: string } | 'interrupted' | 'ready'> {
    const { spec } = instance.track.desired;
    const within = spec.timeout ?? timing.readyWithinMs;
    const end = clock.monotonicMs() + within;
    const path = spec.service?.ready ?? null;
    const over = new AbortController();
    void instance.service.ended.then(() => over.abort());
    const both = AbortSignal.any([signal, over.signal]);
    for (;;) {
      const left = Math.max(1, end - clock.monotonicMs());
      const found = await instance.service.probe(path, Math.ceil(Math.min(timing.probeMs, left)), both);
      if (signal.aborted) return 'interrupted';
      if (over.signal.aborted) return { why: `ended before it was ready: ${await instance.service.ended}` };
      if (found === null) return 'ready';
      if (clock.monotonicMs() >= end)
        return { why: `was not ready within ${formatDuration(within)}: ${found}` };
      await clock.sleep(timing.readyEveryMs, both).catch(() => undefined);
    }
  }

  async function startOne(on: Track, signal: AbortSignal): Promise<void> {
    step(on, { kind: 'start' });
    const begun = await launch(on);
    candidate = begun;
    changed();
    const outcome = await untilReady(begun, signal).catch((error: unknown) => {
      void retire(begun);
      throw error;
    });
    candidate = null;
    if (outcome === 'ready') {
      const before = serving;
      serving = begun;
      step(on, { kind: 'ready' });
      settled();
      const { port, process } = begun.service;
      emit(on, 'ServiceReady', `${on.desired.version} answers on port ${port} (process ${process?.pid})`);
      if (before !== null) void retire(before, timing.drainMs);
      return;
    }
    if (outcome === 'interrupted') {
      void retire(begun);
      return;
    }
    await retire(begun);
    if (wanted === on) fail(on, outcome.why, begun.service.process !== null);
  }

  function fail(on: Track, why: string, started: boolean): void {
    const sentence = `${on.desired.version} ${why}`;
    step(on, { kind: 'failed', message: sentence });
    settled();
    const { failures, state } = on.machine;
    const waiting = waiters.filter((waiter) => waiter.track === on);
    // the port was given away between our look and its bind: that says nothing about the version
    if (waiting.length > 0 && failures === 1 && PORT_TAKEN.test(why)) return;
    if (waiting.length === 0 && state === 'broken') {
      emit(
        on,
        'ServiceBroken',
        `${sentence}; ${failures} failures in a row, the next try is in an hour, at a new version, or by "edge-agent retry ${flow}"`,
      );
    } else emit(on, 'ServiceFailed', sentence);
    if (waiting.length === 0) return;
    waiters = waiters.filter((waiter) => waiter.track !== on);
    // whoever asked decides what comes now; until then what ran before goes on
    set(serving?.ended === null ? serving.track : null);
    for (const { answer } of waiting) answer.resolve({ kind: 'failed', message: sentence, started });
  }

  /** Returns when something else is wanted, or it is not well any more. */
  async function watch(instance: Instance, signal: AbortSignal): Promise<void> {
    const on = instance.track;
    const over = new AbortController();
    void instance.service.ended.then(() => over.abort());
    const both = AbortSignal.any([signal, over.signal]);
    const live = on.desired.spec.service?.live ?? null;
    while (!both.aborted) {
      await clock.sleep(timing.liveEveryMs, both).catch(() => undefined);
      if (both.aborted || live === null) continue;
      const found = await instance.service.probe(live, timing.probeMs, both);
      if (both.aborted) continue;
      if (found === null) step(on, { kind: 'alive' });
      else if (on.machine.missed + 1 < limits.liveFailures)
        step(on, { kind: 'missed', message: `liveness: ${found}` });
      else {
        serving = null;
        fail(on, `did not answer ${limits.liveFailures} times in a row (${found}) and is ended`, true);
        await retire(instance);
        return;
      }
    }
    if (!over.signal.aborted) return;
    serving = null;
    await retire(instance);
    fail(on, `ended: ${instance.ended}`, true);
  }

  async function once(): Promise<void> {
    wake = new AbortController();
    const { signal } = wake;
    if (serving !== null && serving.ended !== null && serving.track !== wanted) {
      void retire(serving);
      serving = null;
      changed();
    }
    const on = wanted;
    if (on === null) return;
    if (serving !== null && serving.track === on) {
      for (const { answer } of waiters) answer.resolve({ kind: 'ready' });
      waiters = [];
      return watch(serving, signal);
    }
    const due = on.machine.retryAtMs;
    const wait = due === null ? 0 : due - clock.monotonicMs();
    if (wait <= 0) return startOne(on, signal);
    const old = new AbortController();
    void serving?.service.ended.then(() => old.abort());
    await clock.sleep(wait, AbortSignal.any([signal, old.signal])).catch(() => undefined);
  }

  async function keep(): Promise<void> {
    while (wanted !== null) {
      try {
        await once();
      } catch (error) {
        deps.onFault(error);
        const on = wanted as Track | null;
        const why = error instanceof Error ? error.message : String(error);
        if (on?.machine.state === 'starting') fail(on, `could not be started: ${why}`, false);
        else await clock.sleep(limits.backoffMaxMs, wake.signal).catch(() => undefined);
      }
    }
    const last = serving;
    over = true;
    ending.abort();
    serving = null;
    if (last !== null) {
      void retire(last);
      emit(last.track, 'ServiceStopped', `${last.track.desired.version} is stopped`);
    }
    await Promise.all(leaving.values());
  }

  let done: Promise<void> | null = null;
  const begin = () => {
    done ??= keep();
  };

  return {
    want(desired) {
      set(desired === null ? null : trackFor(desired));
      if (desired !== null) begin();
    },
    async replace(desired, again, signal) {
      signal.throwIfAborted();
      const next = again ? track(desired) : trackFor(desired);
      // what failed before is asked for anew
      if (next === wanted) step(next, { kind: 'retry' });
      set(next);
      const answer = Promise.withResolvers<ServiceReplacement>();
      waiters.push({ track: next, answer });
      // one that is starting is waited for
      if (next.machine.state !== 'starting') wake.abort();
      begin();
      const stop = () => {
        waiters = waiters.filter((waiter) => waiter.answer !== answer);
        answer.reject(signal.reason);
      };
      signal.addEventListener('abort', stop, { once: true });
      try {
        return await answer.promise;
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
    retry() {
      if (wanted === null) return Promise.resolve();
      step(wanted, { kind: 'retry' });
      if (wanted.machine.state !== 'restarting') return Promise.resolve();
      wake.abort();
      return new Promise((resolve) => {
        tried.push(resolve);
      });
    },
    status: () => statusOf({ wanted, serving, candidate, stopped }),
    leases: () =>
      [serving, candidate, ...leaving.keys()].flatMap((one) =>
        one === null ? [] : [one.track.desired.path],
      ),
    over: () => over,
    get done() {
      return done ?? Promise.resolve();
    },
  };
}

function statusOf(now: {
  wanted: Track | null;
  serving: Instance | null;
  candidate: Instance | null;
  stopped: { at: Date; version: string | null };
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
