import type { Current } from '../schemas/current.ts';
import type { DesiredService, ServiceKeeper, VersionStore } from './ports.ts';
import type { AgentRecords } from './records.ts';
import { createServiceFlow, type ServiceDeps, type ServiceFlow } from './service-flow.ts';

export interface ServiceKeeperDeps extends ServiceDeps {
  /** False without a daemon: what was left is ended, and nothing is started. */
  readonly keeps: boolean;
}

/** Keeps the services of active versions running, each by itself. */
export function createServiceKeeper(deps: ServiceKeeperDeps): ServiceKeeper {
  const flows = new Map<string, ServiceFlow>();
  const ending = new Set<Promise<void>>();
  let closed = false;

  function of(id: string): ServiceFlow {
    const known = flows.get(id);
    if (known !== undefined && !known.over()) return known;
    if (known !== undefined) seeOff(known);
    const made = createServiceFlow(id, deps);
    flows.set(id, made);
    return made;
  }

  /** Nothing is lost sight of before it is gone. */
  function seeOff(service: ServiceFlow): void {
    const gone = service.done.finally(() => {
      ending.delete(gone);
      for (const [id, kept] of flows) if (kept === service) flows.delete(id);
    });
    ending.add(gone);
  }

  function drop(service: ServiceFlow): void {
    service.want(null);
    seeOff(service);
  }

  return {
    keeps: deps.keeps,
    apply(desired) {
      if (!deps.keeps || closed) return;
      const wanted = new Map(desired.map((one) => [one.spec.id, one]));
      for (const [id, service] of flows) if (!wanted.has(id)) drop(service);
      for (const [id, one] of wanted) of(id).want(one);
    },
    async replace(desired, { again, signal }) {
      if (!deps.keeps || closed) return { kind: 'unkept' };
      return of(desired.spec.id).replace(desired, again, signal);
    },
    async retry(flow) {
      const asked = [...flows].filter(([id]) => flow === null || flow === id);
      await Promise.all(asked.map(([, service]) => service.retry()));
    },
    status: (flow) => flows.get(flow)?.status() ?? null,
    leases: () => [...flows.values()].flatMap((service) => service.leases()),
    async recover() {
      for (const { flow, processes } of deps.processes.all()) {
        let ended = 0;
        for (const { run_id: runId, process } of processes) {
          ended += (await deps.endOrphans({ runId, process })).ended;
          deps.processes.ended(flow, runId);
        }
        if (ended === 0) continue;
        const message = `flow ${flow}: ${ended} processes of its service, left by an earlier life of the agent, are ended`;
        deps.events.emit({ severity: 'warning', reason: 'OrphansEnded', message, flow });
      }
    },
    async close() {
      closed = true;
      for (const service of flows.values()) drop(service);
      await Promise.all(ending);
    },
  };
}

/** The services that the pointer asks for, with the settings that the database knows. */
export function desiredServices(
  current: Current,
  records: Pick<AgentRecords, 'flow'>,
  store: Pick<VersionStore, 'absolute'>,
): DesiredService[] {
  return Object.entries(current.flows).flatMap(([id, { version, sha256, path }]) => {
    const settings = records.flow(id)?.active;
    if (settings?.spec.runtime !== 'service' || settings.spec.sha256 !== sha256) return [];
    const { spec, entrypoint, revision } = settings;
    return [{ spec, entrypoint, revision, version, sha256, path, directory: store.absolute(path) }];
  });
}
