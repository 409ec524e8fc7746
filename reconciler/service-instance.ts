import { formatDuration } from '../schemas/duration.ts';
import type {
  Chance,
  Clock,
  DesiredService,
  RunRecord,
  RunRequest,
  RunSettings,
  ServiceLauncher,
  ServiceProcess,
} from './ports.ts';
import type { ServiceRecords } from './service-records.ts';
import type { ServiceMachine } from './service-state.ts';
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

export interface InstanceDeps {
  readonly launcher: ServiceLauncher;
  readonly processes: ServiceRecords;
  /** Ends whatever runs under a run id; `left` could not be ended. */
  readonly endOrphans: (run: {
    runId: string;
    process: RunRecord['process'];
  }) => Promise<{ ended: number; left: number }>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly tenant: string;
  readonly settings: () => RunSettings;
  readonly secrets: () => Promise<Readonly<Record<string, string>>>;
  /** `<state>/runs/service-<flow>/<slot>` */
  readonly runDirectory: (runId: string, attempt: number) => string;
  /** A bug of ours, or a disk that takes no more: the flow is tried again later. */
  readonly onFault: (error: unknown) => void;
  readonly timing?: ServiceTiming;
}

/** One thing to keep: a version with its settings, and how it fares. */
export interface Track {
  readonly desired: DesiredService;
  readonly identity: string;
  machine: ServiceMachine;
  since: Date;
}

/** One process of it. */
export interface Instance {
  readonly track: Track;
  readonly runId: string;
  readonly service: ServiceProcess;
  /** Set when it has ended. */
  ended: string | null;
}

/** The processes of one flow, from their start until nothing of them is left. */
export interface ServiceInstances {
  /** Starts one, on disk before it exists. `signal` ends what the start waits for: rejects with its reason then. */
  launch(on: Track, signal: AbortSignal): Promise<Instance>;
  /** A sentence when it will not be ready; interrupted when the signal says so. */
  untilReady(
    instance: Instance,
    signal: AbortSignal,
  ): Promise<{ readonly why: string } | 'interrupted' | 'ready'>;
  /** Ends one after `drainMs`; resolves, whoever asks and how often, when it is gone. */
  retire(instance: Instance, drainMs?: number): Promise<void>;
  /** Those that are being ended. */
  leaving(): Instance[];
  /** Ends at once whatever still drains; resolves when all are gone. */
  over(): Promise<void>;
}

export function createServiceInstances(flow: string, deps: InstanceDeps): ServiceInstances {
  const { clock } = deps;
  const timing = deps.timing ?? SERVICE_TIMING;
  const leaving = new Map<Instance, Promise<void>>();
  /** Nobody is waited for any more. */
  const ending = new AbortController();

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

  /** What did not come to be leaves nothing running, and keeps no slot. */
  async function forget(runId: string): Promise<void> {
    try {
      const { left } = await deps.endOrphans({ runId, process: null });
      if (left === 0) deps.processes.ended(flow, runId);
    } catch (error) {
      deps.onFault(error);
    }
  }

  async function launch(on: Track, signal: AbortSignal): Promise<Instance> {
    const { desired } = on;
    const runId = `service-${deps.chance.uuidv7()}`;
    const known = desired.spec.secrets.length === 0 ? {} : await deps.secrets();
    const named = desired.spec.secrets.flatMap((name) =>
      known[name] === undefined ? [] : [[name, known[name]]],
    );
    const { version, path } = desired;
    const slot = deps.processes.begin(flow, { run_id: runId, version, path });
    const request: RunRequest = {
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
      signal,
    };
    let service: ServiceProcess;
    try {
      service = await deps.launcher.launch(request, deps.settings());
    } catch (error) {
      await forget(runId);
      throw error;
    }
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

  async function untilReady(
    instance: Instance,
    signal: AbortSignal,
  ): ReturnType<ServiceInstances['untilReady']> {
    const { spec } = instance.track.desired;
    const within = spec.timeout ?? timing.readyWithinMs;
    const end = clock.monotonicMs() + within;
    const path = spec.service?.ready ?? null;
    const over = new AbortController();
    void instance.service.ended.then(() => over.abort());
    const both = AbortSignal.any([signal, over.signal]);
    let told: string | null = null;
    for (;;) {
      const left = Math.max(1, end - clock.monotonicMs());
      const found = await instance.service.probe(path, Math.ceil(Math.min(timing.probeMs, left)), both);
      if (signal.aborted) return 'interrupted';
      if (over.signal.aborted) return { why: `ended before it was ready: ${await instance.service.ended}` };
      if (found === null) return 'ready';
      // a question that the deadline cut says less than the answers before it; a timer may be a millisecond early
      if (told === null || clock.monotonicMs() < end - 1) told = found;
      if (clock.monotonicMs() >= end)
        return { why: `was not ready within ${formatDuration(within)}: ${told}` };
      await clock.sleep(timing.readyEveryMs, both).catch(() => undefined);
    }
  }

  return {
    launch,
    untilReady,
    retire,
    leaving: () => [...leaving.keys()],
    async over() {
      ending.abort();
      await Promise.all(leaving.values());
    },
  };
}
