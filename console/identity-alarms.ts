import type { FastifyBaseLogger } from 'fastify';
import type { Notices } from './notices.ts';
import type { ConsoleState } from './state.ts';
import type { Agent } from './store/ports/agents.ts';
import type { AuditAction } from './store/ports/audit.ts';
import type { FormerKey } from './store/ports/device-keys.ts';
import type { AgentProcess } from './store/ports/identities.ts';

/** Signs of a copied or restored machine: written down, logged, and told to whoever listens. */
export interface IdentityAlarms {
  /** Two machines speak with this identity. */
  conflict(agent: Agent): Promise<void>;
  /** A key that was replaced was used. */
  retiredKey(agent: Agent, key: FormerKey, address: string): Promise<void>;
  /** An agent sends another text for an event than the first time. */
  forkedLog(agent: Agent, logId: string, message: string): Promise<void>;
}

export function createIdentityAlarms(parts: {
  readonly state: ConsoleState;
  readonly notices: Notices;
  readonly log: FastifyBaseLogger;
}): IdentityAlarms {
  const { state, notices, log } = parts;

  const raise = async (agent: Agent, action: AuditAction, message: string) => {
    const { agent_id, tenant } = agent;
    await state.audit.note({ action, tenant, agent_id, by: 'console', message }, state.clock.now());
    log.warn({ agent_id, tenant, action }, message);
    notices.identity.publish({ agent_id, tenant, action, message });
  };

  return {
    async conflict(agent) {
      const machines = (await state.identities.conflict(agent.agent_id))?.machines ?? [];
      const named = machines.map(machineName).join('; ');
      await raise(
        agent,
        'identity_conflict',
        `two machines speak as agent ${agent.agent_id}: ${named}; one of them is a copy: run "edge-agent unenroll --local" on it, then enrol it with a token of its own`,
      );
    },
    async retiredKey(agent, key, address) {
      if (!(await state.deviceKeys.refused(key.thumbprint, address, state.clock.now()))) return;
      await raise(
        agent,
        'retired_key_used',
        `a device key of agent ${agent.agent_id} that was replaced at ${key.replaced_at} was used from ${address}: a copy of the machine, a restored backup, or a stolen key`,
      );
    },
    async forkedLog(agent, logId, message) {
      if (!(await state.events.forked(agent.agent_id, logId, state.clock.now()))) return;
      await raise(
        agent,
        'event_log_forked',
        `agent ${agent.agent_id} tells the event log ${logId} in two ways (${message}): a copy of the machine, or a restored backup`,
      );
    },
  };
}

/** `lyon-7 (linux) at 10.0.0.7, since 2026-11-21T17:00:00.000Z`. */
export function machineName({ hostname, os, address, first_at }: AgentProcess): string {
  const system = os === null ? '' : ` (${os})`;
  return `${hostname ?? 'a machine without a name'}${system} at ${address}, since ${first_at}`;
}
