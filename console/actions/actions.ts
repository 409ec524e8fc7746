import type { z } from 'zod';
import type { ActionAnswer, ActionOutcome, ActionRequest } from '../../schemas/console/action.ts';
import type { ConsoleAdmin } from '../admin.ts';
import { readCommandClaims } from '../command-claims.ts';
import type { ConsoleLimits } from '../limits.ts';
import type { Actor } from '../people/actor.ts';
import { RequestRefused } from '../refusal.ts';
import { createShares } from '../shares.ts';
import type { ConsoleState } from '../state.ts';
import type { CommandRow } from '../store/ports/commands.ts';
import type { TunnelGateway } from '../tunnel/gateway.ts';
import { entry, saying } from './action-audit.ts';
import {
  answerOf,
  createVersionCount,
  foreseen,
  GONE,
  outcome,
  refusal,
  refusedOutcome,
} from './action-outcome.ts';
import {
  COMMAND_LIFETIME_MS,
  type Planned,
  planAction,
  type Target,
  type TargetFacts,
} from './action-plan.ts';
import { type Asked, expectWhole } from './asked.ts';
import type { HandIn } from './hand-in.ts';
import type { RequestIds } from './once.ts';
import { type Asker, roleFor, selectTargets } from './selection.ts';
import { signDraft } from './signed-command.ts';
import type { Signer } from './trigger-keys.ts';

/** Signed and written together; then everybody else has a turn. */
const SLICE = 200;

type PlannedCommand = Extract<Planned, { kind: 'command' }>;

/** What people ask of agents: one of them, or many. */
export interface Actions {
  /** Throws what `selectTargets` and `expectWhole` throw, 429 `too_many` and 503 `busy`. What one agent cannot do is an outcome, not an error. */
  ask(asker: Asker, request: z.output<typeof ActionRequest>, ids: RequestIds): Promise<ActionAnswer>;
}

export function createActions(parts: {
  readonly state: ConsoleState;
  readonly limits: ConsoleLimits;
  readonly gateway: Pick<TunnelGateway, 'presence' | 'nudgeAgent'>;
  readonly admin: Pick<ConsoleAdmin, 'revokeAgent'>;
  readonly handIn: HandIn;
}): Actions {
  const { state, limits, gateway, admin, handIn } = parts;
  const isConnected = (agentId: string) => gateway.presence(agentId).connected;
  const underWay = createShares({
    all: limits.actionsAtOnce,
    each: limits.actionsAtOnceEach,
    what: 'actions under way',
  });

  const perform = async (planned: Planned, target: Target, asked: Asked, actor: Actor, ids: RequestIds) => {
    switch (planned.kind) {
      case 'refused':
        return refusedOutcome(target, planned);
      case 'nudge': {
        const nudged = gateway.nudgeAgent(target.agent_id);
        if (!nudged) return refusedOutcome(target, GONE);
        const told = entry('reconcile_asked', target, actor, asked, 'it was asked to look at its branch');
        await state.audit.note(told, state.clock.now());
        return outcome(target, { outcome: 'nudged' });
      }
      case 'revoke':
        await admin.revokeAgent(target.agent_id, { by: actor.by, why: asked.reason }, actor);
        return outcome(target, { outcome: 'done' });
      case 'command':
        return command(planned, target, asked, actor, ids);
    }
  };

  const command = async (
    { draft, signer }: PlannedCommand,
    target: Target,
    asked: Asked,
    actor: Actor,
    ids: RequestIds,
  ): Promise<ActionOutcome> => {
    const { agent_id: agentId } = target;
    const commandId = ids.id('command', agentId);
    const row = (ids.mayRepeat ? await doneBefore(agentId, commandId) : null) ?? (await handInNow());
    return outcome(target, { outcome: 'queued', command_id: commandId, run_id: row.run_id });

    async function handInNow(): Promise<CommandRow> {
      const agent = await state.agents.get(agentId);
      if (agent === null) throw new RequestRefused(404, 'not_found', 'expected an agent, found none');
      const jws = await signed({ draft, signer }, target, commandId);
      const told = entry(`${draft.action}_asked`, target, actor, asked, saying(draft, commandId));
      return handIn(agent, jws, { by: actor.by, why: asked.reason, told: () => told });
    }
  };

  const signed = async (
    { draft, signer }: Pick<PlannedCommand, 'draft' | 'signer'>,
    { agent_id: agentId, tenant }: Target,
    commandId: string,
  ): Promise<string> => {
    const lifetimeMs = COMMAND_LIFETIME_MS[draft.action];
    return signDraft(
      draft,
      { commandId, tenant, agentId, issued: state.clock.now(), lifetimeMs },
      signer.key,
    );
  };

  /** What a dry run says. Whether inputs are more than a command holds is known once it is signed. */
  const foresee = async (planned: Planned, target: Target, ids: RequestIds): Promise<ActionOutcome> => {
    if (planned.kind === 'command' && planned.draft.action === 'run' && planned.draft.inputs !== undefined) {
      const jws = await signed(planned, target, ids.id('command', target.agent_id));
      readCommandClaims(jws, target, state.clock.now());
    }
    return foreseen(planned, target);
  };

  const doneBefore = async (agentId: string, commandId: string): Promise<CommandRow | null> => {
    const row = await state.commands.get(commandId, state.clock.now());
    return row?.agent_id === agentId ? row : null;
  };

  const signers = async (asked: Asked, targets: readonly Target[]): Promise<Map<string, Signer>> => {
    const found = new Map<string, Signer>();
    if (asked.action === 'reconcile' || asked.action === 'revoke') return found;
    for (const tenant of new Set(targets.map((target) => target.tenant))) {
      found.set(tenant, await state.triggerKeys.signer(tenant));
    }
    return found;
  };

  const factsOf = async (asked: Asked, slice: readonly Target[], signer: ReadonlyMap<string, Signer>) => {
    const { action, flow, run_id: runId } = asked;
    const ids = slice.map(({ agent_id }) => agent_id);
    const isOfFlow = action === 'run' || action === 'rollback';
    const placed = isOfFlow && flow !== undefined ? await state.flowPlaces.of(ids, flow) : new Map();
    return Promise.all(
      slice.map(async ({ agent_id, tenant }): Promise<TargetFacts> => {
        const run = action === 'cancel' && runId !== undefined ? await state.runs.get(agent_id, runId) : null;
        return {
          placed: placed.get(agent_id),
          runState: run?.state ?? null,
          signer: signer.get(tenant) ?? null,
        };
      }),
    );
  };

  const ask: Actions['ask'] = async (asker, request, ids) => {
    const { actor } = asker;
    const { targets: _targets, dry_run, ...asked } = request;
    expectWhole(asked, state.clock.now());
    const role = roleFor(asked.action);
    const where = { state, isConnected, most: limits.actionAgents };
    const targets = await selectTargets(where, asker, role, request);
    const signer = await signers(asked, targets);
    const outcomes: ActionOutcome[] = [];
    const versions = createVersionCount();
    for (let from = 0; from < targets.length; from += SLICE) {
      if (from > 0) await new Promise((wake) => setImmediate(wake));
      const slice = targets.slice(from, from + SLICE);
      const facts = await factsOf(asked, slice, signer);
      const each = async (target: Target, index: number): Promise<ActionOutcome> => {
        const known = facts[index] as TargetFacts;
        const runId = ids.id('run', target.agent_id);
        const planned = planAction(asked, target, known, actor.by, runId);
        const result = await (dry_run
          ? foresee(planned, target, ids)
          : perform(planned, target, asked, actor, ids)
        ).catch((error: unknown) => refusal(target, error));
        if (asked.action === 'rollback' && result.outcome !== 'refused') versions.add(asked.flow, known);
        return result;
      };
      outcomes.push(...(await Promise.all(slice.map(each))));
    }
    return answerOf(request, outcomes, versions.list());
  };

  return {
    async ask(asker, request, ids) {
      const giveBack = underWay.take(asker.actor.id);
      try {
        return await ask(asker, request, ids);
      } finally {
        giveBack();
      }
    },
  };
}
