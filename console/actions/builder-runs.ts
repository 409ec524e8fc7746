import type { z } from 'zod';
import type { BuilderFlows, BuilderRun, BuilderRunAnswer } from '../../schemas/console/action.ts';
import { CeremonyError } from '../../trust/ceremony/draft.ts';
import type { ConsoleLimits } from '../limits.ts';
import { type Actor, allow, isInScope } from '../people/actor.ts';
import { notFound, RequestRefused } from '../refusal.ts';
import type { ConsoleState } from '../state.ts';
import type { FlowHost } from '../store/ports/flow-places.ts';
import type { IndexedRun } from '../store/ports/run-index.ts';
import type { TunnelGateway } from '../tunnel/gateway.ts';
import { expectWhole } from './asked.ts';
import type { HandIn } from './hand-in.ts';
import type { RequestIds } from './once.ts';
import { bestHost } from './run-place.ts';
import type { Asker } from './selection.ts';
import { signDraft } from './signed-command.ts';

const FLOWS_MAX = 10_000;
/** For an agent that was chosen because it is there now: if it goes, the run is not to begin hours later. */
const CHOSEN_LIFETIME_MS = 10 * 60_000;
const NAMED_LIFETIME_MS = 60 * 60_000;

type Request = z.output<typeof BuilderRun>;
export type AskedRun = Omit<BuilderRunAnswer, 'state' | 'connected' | 'result' | 'message'>;

/** What the Builder asks: which flows there are, and to run one of them somewhere. */
export interface BuilderRuns {
  flows(asker: Asker): Promise<z.output<typeof BuilderFlows>>;
  /**
   * Has the flow run on the agent that is named, or on the one that is connected, ready and has least to do. Throws what keeps
   * it from being asked for.
   */
  ask(asker: Asker, flow: string, request: Request, ids: RequestIds): Promise<AskedRun>;
}

export function createBuilderRuns(parts: {
  readonly state: ConsoleState;
  readonly limits: ConsoleLimits;
  readonly gateway: Pick<TunnelGateway, 'presence'>;
  readonly handIn: HandIn;
}): BuilderRuns {
  const { state, gateway, handIn } = parts;

  /** Agents of one tenant that have the flow: a flow of the same name is another one elsewhere. */
  const hostsOf = async ({ actor, scope }: Asker, flow: string, asked: Request): Promise<FlowHost[]> => {
    const tenants = asked.tenant === undefined ? scope : isInScope(scope, asked.tenant) ? [asked.tenant] : [];
    const hosts = async (version?: string) =>
      state.flowPlaces.hosts(tenants, flow, state.clock.now(), {
        limit: parts.limits.flowHosts,
        ...(asked.agent_id === undefined ? {} : { agentId: asked.agent_id }),
        ...(version === undefined ? {} : { version }),
      });
    // Without that version anywhere, the refusal names those there are.
    const wanted = asked.version === undefined ? [] : await hosts(asked.version);
    const mine = wanted.length > 0 ? wanted : await hosts();
    const [first] = mine;
    if (first === undefined) {
      const where =
        asked.agent_id === undefined ? 'an agent that has' : `an agent ${asked.agent_id} that has`;
      const message = `expected ${where} the flow ${flow} active, found none; GET /flows lists the flows`;
      throw notFound(message, 'flow_unknown');
    }
    const others = [...new Set(mine.map(({ tenant }) => tenant))];
    if (others.length > 1) {
      const message = `expected the flow ${flow} in one tenant, found it in ${others.join(', ')}; say which with tenant`;
      throw new RequestRefused(409, 'tenant_ambiguous', message);
    }
    allow(actor, first.tenant, 'operator', () => notFound('expected a flow, found none', 'flow_unknown'));
    return mine;
  };

  const doneBefore = async ({ scope }: Asker, runId: string): Promise<IndexedRun | null> =>
    (await state.runs.named(runId, scope, 1))[0] ?? null;

  const handInRun = async (
    actor: Actor,
    agentId: string,
    flow: string,
    asked: Request,
    envelope: { readonly commandId: string; readonly runId: string },
  ): Promise<AskedRun> => {
    const agent = await state.agents.get(agentId);
    if (agent === null) throw notFound('expected an agent that is there, found none', 'flow_unknown');
    const { tenant } = agent;
    const signer = await state.triggerKeys.signer(tenant);
    if (signer.kind === 'none') throw new RequestRefused(409, signer.code, signer.message);
    const { commandId, runId } = envelope;
    const { version, timeout, inputs, reason = null } = asked;
    const draft = {
      action: 'run' as const,
      run_id: runId,
      flow,
      inputs,
      ...(version === undefined ? {} : { version }),
      ...(timeout === undefined ? {} : { timeout }),
    };
    const lifetimeMs = asked.agent_id === undefined ? CHOSEN_LIFETIME_MS : NAMED_LIFETIME_MS;
    const about = { commandId, tenant, agentId, issued: state.clock.now(), lifetimeMs };
    const jws = await signDraft(draft, about, signer.key).catch((error: unknown) => {
      if (error instanceof CeremonyError) throw new RequestRefused(422, 'command_invalid', error.message);
      throw error;
    });
    const message = `it was asked to run ${flow}, run ${runId} (command ${commandId})`;
    const who = { by: actor.by, actor_id: actor.id };
    await handIn(agent, jws, {
      by: actor.by,
      why: reason,
      told: () => ({ action: 'run_asked', tenant, agent_id: agentId, ...who, message, reason }),
    });
    return { run_id: runId, command_id: commandId, agent_id: agentId, tenant, flow };
  };

  return {
    flows: async ({ scope }) => ({ flows: await state.flowPlaces.list(scope, FLOWS_MAX) }),
    async ask(asker, flow, asked, ids) {
      const { version, timeout } = asked;
      expectWhole({ action: 'run', reason: 'x', flow, version, timeout }, state.clock.now());
      const [runId, commandId] = [ids.id('run', flow), ids.id('command', flow)];
      const before = ids.mayRepeat ? await doneBefore(asker, runId) : null;
      if (before !== null) {
        const { agent_id, tenant } = before;
        // Their role may be another one than when they asked.
        allow(asker.actor, tenant, 'operator', () => notFound('expected a flow, found none', 'flow_unknown'));
        return { run_id: runId, command_id: commandId, agent_id, tenant, flow };
      }
      const hosts = await hostsOf(asker, flow, asked);
      const isConnected = (agentId: string) => gateway.presence(agentId).connected;
      const place = bestHost(hosts, { flow, version, isConnected, isNamed: asked.agent_id !== undefined });
      return handInRun(asker.actor, place.agent_id, flow, asked, { commandId, runId });
    },
  };
}
