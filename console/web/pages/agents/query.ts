import type { z } from 'zod';
import type { AgentFilter, AgentSort, AgentState } from '../../../../schemas/console/agent.ts';

export const SORTS = [
  'state',
  'hostname',
  'last_seen_at',
  'last_sync_at',
  'enrolled_at',
  'version',
] as const satisfies readonly z.infer<typeof AgentSort>[];

type Filter = z.input<typeof AgentFilter> & { state?: AgentState[]; label?: string[] };

const WORDS = [
  'tenant',
  'q',
  'tunnel',
  'health',
  'held',
  'os',
  'agent_version',
  'flow',
  'version',
  'revision',
] as const;
const LISTS = ['state', 'label'] as const;

/** The filter that an address stands for; what the server does not know it says itself. */
export function filterIn(parameters: URLSearchParams): Filter {
  const words = WORDS.flatMap((name) => {
    const value = parameters.get(name);
    return value === null || value === '' ? [] : [[name, value] as const];
  });
  const lists = LISTS.flatMap((name) => {
    const values = (parameters.get(name) ?? '').split(',').filter((each) => each !== '');
    return values.length === 0 ? [] : [[name, values] as const];
  });
  return Object.fromEntries([...words, ...lists]) as Filter;
}
