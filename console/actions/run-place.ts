import { RequestRefused } from '../refusal.ts';
import type { FlowHost } from '../store/ports/flow-places.ts';

const VERSIONS_NAMED = 5;

/**
 * The agent that a run is given to. With a named one there is no choice: it may be away, and gets the command when it is back.
 * Otherwise one that is connected; of these one that is ready, then one whose flow is not unhealthy, then the one with least to
 * do (`hosts` are in that order). Throws 409 `version_not_active` and 503 `no_agent_connected`.
 */
export function bestHost(
  hosts: readonly FlowHost[],
  wanted: {
    readonly flow: string;
    readonly version: string | undefined;
    readonly isNamed: boolean;
    readonly isConnected: (agentId: string) => boolean;
  },
): FlowHost {
  const { flow, version, isNamed, isConnected } = wanted;
  const fitting =
    version === undefined ? hosts : hosts.filter(({ active_version }) => active_version === version);
  const [first] = fitting;
  if (first === undefined) {
    const found = [...new Set(hosts.map(({ active_version }) => active_version))].slice(0, VERSIONS_NAMED);
    const message = `expected version ${version} of ${flow} to be active on an agent, found ${found.join(', ')}`;
    throw new RequestRefused(409, 'version_not_active', message);
  }
  if (isNamed) return first;
  const there = fitting.filter(({ agent_id }) => isConnected(agent_id));
  const best =
    there.find(({ state, health }) => state === 'ready' && health !== 'unhealthy') ??
    there.find(({ health }) => health !== 'unhealthy') ??
    there[0];
  if (best !== undefined) return best;
  const message = `expected a connected agent that has ${flow} active, found ${fitting.length}, none of them connected; try again later, or name one with agent_id: it runs the flow when it is back within an hour`;
  throw new RequestRefused(503, 'no_agent_connected', message, { 'retry-after': '30' });
}
