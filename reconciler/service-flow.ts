import type { ServiceStatus } from '../schemas/service.ts';
import type { DesiredService, EventSink, RunSettings, ServiceReplacement } from './ports.ts';
import {
  createServiceInstances,
  type Instance,
  type InstanceDeps,
  SERVICE_TIMING,
  type Track,
} from './service-instance.ts';
import {
  afterService,
  newService,
  SERVICE_LIMITS,
  type ServiceEvent,
  type ServiceLimits,
} from './service-state.ts';
import { serviceStatus } from './service-status.ts';

export interface ServiceDeps extends InstanceDeps {
  readonly events: EventSink;
  /** The status changed; `well`: whether what should answer does, null while that is being found out. Must not throw. */
  readonly onChange: (flow: string, well: boolean | null) => void;
  readonly limits?: ServiceLimits;
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
  const { launch, untilReady, retire, ...instances } = createServiceInstances(flow, deps);
  let waiters: Waiter[] = [];
  const tried: (() => void)[] = [];
  let wake = new AbortController();
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

  async function startOne(on: Track, signal: AbortSignal): Promise<void> {
    step(on, { kind: 'start' });
    const begun = await launch(on, signal).catch((error: unknown) => {
      if (signal.aborted) return null;
      throw error;
    });
    // Something else is wanted.
    if (begun === null) return;
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
    } else emit(on, 'ServiceFailed', `${sentence}; "edge-agent logs service-${flow}" shows what it printed`);
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
    serving = null;
    if (last !== null) {
      void retire(last);
      emit(last.track, 'ServiceStopped', `${last.track.desired.version} is stopped`);
    }
    await instances.over();
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
    status: () => serviceStatus({ wanted, serving, candidate, stopped }),
    leases: () =>
      [serving, candidate, ...instances.leaving()].flatMap((one) =>
        one === null ? [] : [one.track.desired.path],
      ),
    over: () => over,
    get done() {
      return done ?? Promise.resolve();
    },
  };
}
