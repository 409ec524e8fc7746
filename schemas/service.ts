import { z } from 'zod';
import { FlowId, Timestamp } from './names.ts';

/** Where the process of a service is on its way. */
export const ServiceState = z.enum(['starting', 'ready', 'restarting', 'broken', 'stopped']);
export type ServiceState = z.infer<typeof ServiceState>;

/** `flows[].service` of the status document: the process that answers now, or why there is none. */
export const ServiceStatus = z.object({
  state: ServiceState,
  /** Of the process that answers, else of the one that is starting. */
  version: z.string().nullable(),
  port: z.int().nullable(),
  pid: z.int().nullable(),
  /** `http://127.0.0.1:<port>` once it is ready. */
  url: z.string().nullable(),
  /** How often this version was started again since the agent keeps it. */
  restarts: z.int().min(0),
  since: Timestamp,
  /** What is in the way, or what is under way beside what answers. */
  message: z.string().nullable(),
});
export type ServiceStatus = z.infer<typeof ServiceStatus>;

/** `service/<flow>` in agent.db: the processes that exist, so that the next life of the agent ends what a crash left. */
export const ServiceProcesses = z.object({
  flow: FlowId,
  /** The folder `runs/service-<flow>/<slot>` begun last. */
  slot: z.int().min(0),
  processes: z.array(
    z.object({
      run_id: z.string(),
      slot: z.int(),
      version: z.string(),
      /** Of the version, relative: held while the process is there. */
      path: z.string(),
      process: z.object({ pid: z.int(), started: z.string() }).nullable(),
    }),
  ),
});
export type ServiceProcesses = z.infer<typeof ServiceProcesses>;
