import { keepPreviousData, useQuery } from '@tanstack/preact-query';
import type { z } from 'zod';
import type {
  AgentDetail,
  AgentsAnswer,
  AgentsQuery,
  HistoryAnswer,
} from '../../../schemas/console/agent.ts';
import type { CommandsAnswer } from '../../../schemas/console/command.ts';
import type { EventsAnswer, EventsQuery } from '../../../schemas/console/event.ts';
import type { KeysAnswer } from '../../../schemas/console/keys.ts';
import type { Overview } from '../../../schemas/console/overview.ts';
import type { PeopleAnswer } from '../../../schemas/console/people.ts';
import type {
  FlowRow,
  FlowsAnswer,
  FlowsQuery,
  ReleaseDetail,
  ReleasesAnswer,
  ReleasesQuery,
} from '../../../schemas/console/release.ts';
import type { RunDetail, RunsAnswer, RunsQuery } from '../../../schemas/console/run.ts';
import type {
  AuditAnswer,
  AuditQuery,
  TenantsAnswer,
  TokensAnswer,
  TokensQuery,
} from '../../../schemas/console/token.ts';
import { useApi } from './provider.tsx';

/**
 * One hook for each address that is read. The first word of a key is a topic of `live.ts`: when the console says that something
 * of it has changed, what is shown of it is asked for again. While the next page or filter loads, the last one stays to be seen.
 */
function useRead<T>(topic: string, path: string | null, query: object = {}) {
  const api = useApi();
  return useQuery({
    queryKey: [topic, path, query],
    queryFn: ({ signal }) => api.get<T>(path ?? '', { query, signal }),
    enabled: path !== null,
    placeholderData: keepPreviousData,
  });
}

type Asked<Schema extends z.ZodType> = z.input<Schema>;

export const useOverview = (tenant: string | null) =>
  useRead<Overview>('overview', '/api/overview', { tenant });

export const useTenants = () => useRead<TenantsAnswer>('tenants', '/api/tenants');

export const useAgents = (query: Asked<typeof AgentsQuery>, enabled = true) =>
  useRead<AgentsAnswer>('agents', enabled ? '/api/agents' : null, query);

export const useAgent = (agentId: string) =>
  useRead<AgentDetail>('agents', `/api/agents/${encodeURIComponent(agentId)}`);

export const useAgentHistory = (agentId: string, query: { before?: number; limit?: number } = {}) =>
  useRead<HistoryAnswer>('agents', `/api/agents/${encodeURIComponent(agentId)}/history`, query);

export const useFlows = (query: Asked<typeof FlowsQuery>, enabled = true) =>
  useRead<FlowsAnswer>('flows', enabled ? '/api/flows' : null, query);

export const useFlow = (tenant: string, flow: string) =>
  useRead<FlowRow>('flows', `/api/flows/${encodeURIComponent(tenant)}/${encodeURIComponent(flow)}`);

export const useReleases = (query: Asked<typeof ReleasesQuery>) =>
  useRead<ReleasesAnswer>('releases', '/api/releases', query);

export const useRelease = (tenant: string, revision: string) =>
  useRead<ReleaseDetail>(
    'releases',
    `/api/releases/${encodeURIComponent(tenant)}/${encodeURIComponent(revision)}`,
  );

export const useRuns = (query: Asked<typeof RunsQuery>) => useRead<RunsAnswer>('runs', '/api/runs', query);

export const useRun = (agentId: string, runId: string) =>
  useRead<RunDetail>('runs', `/api/agents/${encodeURIComponent(agentId)}/runs/${encodeURIComponent(runId)}`);

export const useEvents = (query: Asked<typeof EventsQuery>) =>
  useRead<EventsAnswer>('events', '/api/events', query);

export const useAudit = (query: Asked<typeof AuditQuery>) =>
  useRead<AuditAnswer>('audit', '/api/audit', query);

export const useTokens = (query: Asked<typeof TokensQuery>, enabled = true) =>
  useRead<TokensAnswer>('tokens', enabled ? '/api/tokens' : null, query);

export const usePeople = (enabled: boolean) =>
  useRead<PeopleAnswer>('people', enabled ? '/api/people' : null);

export const useKeys = (enabled: boolean) => useRead<KeysAnswer>('keys', enabled ? '/api/keys' : null);

/** The document of the API, of which its version is the console's. */
export const useApiDocument = () =>
  useRead<{ readonly info: { readonly version: string } }>('console', '/api/openapi.json');

export const useAgentCommands = (agentId: string, query: { before?: number; limit: number }) =>
  useRead<CommandsAnswer>('commands', `/api/agents/${encodeURIComponent(agentId)}/commands`, query);
