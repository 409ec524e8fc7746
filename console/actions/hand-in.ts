import type { ConsoleLimits } from '../limits.ts';
import type { Notices } from '../notices.ts';
import type { ConsoleState } from '../state.ts';
import type { Agent } from '../store/ports/agents.ts';
import type { CommandOrigin, CommandRow } from '../store/ports/commands.ts';
import type { TunnelGateway } from '../tunnel/gateway.ts';

/** Keeps a signed command, and has it sent as soon as the agent is connected. Throws what `CommandQueue.add` throws. */
export type HandIn = (agent: Agent, jws: string, origin: CommandOrigin) => Promise<CommandRow>;

export function createHandIn(parts: {
  readonly state: ConsoleState;
  readonly limits: ConsoleLimits;
  readonly notices: Notices;
  readonly gateway: Pick<TunnelGateway, 'commandAdded'>;
}): HandIn {
  const { state, limits, notices, gateway } = parts;
  return async (agent, jws, origin) => {
    const now = state.clock.now();
    const { row, added } = await state.commands.add(agent, jws, now, limits.commandsWaiting, origin);
    if (added) {
      const { agent_id, tenant } = agent;
      notices.command.publish({ tenant, agent_id, command_id: row.command_id, state: 'queued' });
      gateway.commandAdded(agent_id);
    }
    return row;
  };
}
