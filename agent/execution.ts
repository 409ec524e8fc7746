import { endOrphans } from '../executors/orphans.ts';
import { createDispatcher, type Dispatcher } from '../reconciler/dispatcher.ts';
import type {
  Chance,
  Clock,
  ReportSink,
  RunListener,
  ServiceKeeper,
  VersionStore,
} from '../reconciler/ports.ts';
import { createServiceRecords } from '../reconciler/service-records.ts';
import { createServiceKeeper, desiredServices } from '../reconciler/services.ts';
import type { EventLog } from '../sinks/event-log.ts';
import { createSchedules, type Schedules } from '../sources/schedule.ts';
import { scheduledRunId } from '../sources/schedule-run-id.ts';
import type { Log } from '../system/log.ts';
import type { EffectiveSettings } from './effective-settings.ts';
import type { Executors } from './executors.ts';
import type { RunFiles } from './run-files.ts';
import { scheduledFlows } from './scheduled-flows.ts';
import type { AgentState } from './state.ts';

export interface ExecutionInputs {
  readonly state: AgentState;
  readonly store: VersionStore;
  readonly executors: Executors;
  readonly runFiles: RunFiles;
  readonly reports: ReportSink;
  readonly listener: RunListener;
  readonly events: EventLog;
  readonly secrets: () => Promise<Readonly<Record<string, string>>>;
  readonly settings: () => EffectiveSettings;
  /** Who this agent is: a scheduled run has the same id however often its time is looked at. */
  readonly identity: () => string;
  readonly tenant: string;
  readonly daemon: boolean;
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;
  /** Ready has to be concluded anew. */
  readonly nudge: () => void;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

/** Everything that runs flows: on request, by the clock, and all the time. */
export interface Execution {
  readonly dispatcher: Dispatcher;
  readonly services: ServiceKeeper;
  readonly schedules: Schedules;
  /** Services as the active versions want them. */
  readonly applyServices: () => void;
  /** Ends what an earlier life left running and reports its runs; in a daemon queued runs are taken up again. */
  recover(): Promise<void>;
}

export function createExecution(inputs: ExecutionInputs): Execution {
  const { store, events, reports, settings, secrets, tenant, clock, chance, log, runFiles } = inputs;
  const { records, runs, ofTenant } = inputs.state;
  const { executors, launcher } = inputs.executors;
  const dispatcher = createDispatcher({
    runs,
    store,
    records,
    executors,
    reports,
    listener: inputs.listener,
    events,
    clock,
    chance,
    tenant,
    settings: () => settings().runs,
    secrets,
    runDirectory: runFiles.directory,
    endOrphans,
    rollBack: {
      isOn: () => settings().rollbackOn === 'runs',
      store,
      exclusive: inputs.exclusive,
      onDone: inputs.nudge,
    },
    salvage: runFiles.output,
    onFault: (error) =>
      log.error('a run could not be written down, or what follows from its end; it is tried again', {
        error,
      }),
  });
  const services = createServiceKeeper({
    keeps: inputs.daemon,
    launcher,
    processes: createServiceRecords(ofTenant),
    events,
    clock,
    chance,
    tenant,
    settings: () => settings().runs,
    secrets,
    runDirectory: runFiles.directory,
    endOrphans,
    onChange(flow, well) {
      const state = records.flow(flow);
      const health = well ? 'healthy' : 'unhealthy';
      // `unknown` is a check that the reconcile still owes
      if (well !== null && state !== null && state.health !== 'unknown' && state.health !== health) {
        records.saveFlow(flow, { ...state, health });
        // the reconcile concludes Ready anew and tells the status then, both at once
        inputs.nudge();
      } else reports.statusChanged();
    },
    onFault: (error) => log.error('a service could not be looked after; it is tried again', { error }),
  });
  const schedules = createSchedules({
    clock,
    events,
    documents: ofTenant,
    flows: () => scheduledFlows(records, store),
    timezone: () => settings().timezone,
    trigger({ flow, at, because }) {
      const runId = scheduledRunId(inputs.identity(), flow, at);
      const submitted = dispatcher.submit({ flow, runId, input: {}, trigger: 'schedule', because });
      return submitted.kind === 'not_runnable' ? submitted.message : null;
    },
    onFault: (error) =>
      log.error('scheduled runs could not be queued; they are looked at again in a minute', { error }),
  });
  return {
    dispatcher,
    services,
    schedules,
    applyServices: () => services.apply(desiredServices(store.current(), records, store)),
    async recover() {
      for (const run of inputs.state.others.left()) {
        const { ended } = await endOrphans(run);
        if (ended > 0) log.warn('processes left of another tenant are ended', { run_id: run.runId, ended });
      }
      await inputs.executors.environments.recover();
      await inputs.executors.browsers.recover();
      await dispatcher.recover({ resume: inputs.daemon });
      await services.recover();
    },
  };
}
