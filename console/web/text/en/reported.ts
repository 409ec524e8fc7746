import type { z } from 'zod';
import type { ServiceState } from '../../../../schemas/service.ts';
import type { TrustMode } from '../../../../schemas/status.ts';
import { counted } from '../counted.ts';

const n = counted('en');

/** What an agent reports of itself in words of a closed list; a word of a newer agent is shown as it came. */
export const en = {
  /** Of a time that was true when the report was made. */
  atReport: 'at its last report',
  tunnel: {
    none: 'not used',
    connecting: 'connecting',
    connected: 'connected',
    disconnected: 'not connected',
  } as Record<string, string>,
  trust: {
    required: 'signatures required',
    optional: 'signatures optional',
    off: 'off',
    tuf: 'TUF',
  } satisfies Record<TrustMode, string> as Record<TrustMode, string>,
  /** The parts that are joined by `+`. */
  isolation: {
    user: 'account of their own',
    bubblewrap: 'sandbox',
    cgroup: 'cgroup',
    'process-group': 'process group',
    taskkill: 'process tree',
    refused: 'no flow is started: the agent is root, and agent.yaml names no account for flows',
  } as Record<string, string>,
  service: {
    starting: 'is starting',
    ready: 'is ready',
    restarting: 'is restarting',
    broken: 'is broken',
    stopped: 'is stopped',
  } satisfies Record<z.infer<typeof ServiceState>, string> as Record<z.infer<typeof ServiceState>, string>,
  processes: {
    title: 'Machines that speak with it',
    lead: 'A command such as edge-agent reconcile is a process of its own for a moment, beside the daemon. When a copy of this identity speaks, the top of the page says so.',
    count: 'Processes',
    counted: (count: number) => n(count, { one: '# process', other: '# processes' }),
  },
};
