import { readCommandClaims } from './command-claims.ts';
import { RequestRefused } from './refusal.ts';
import type { Agent } from './store/ports/agents.ts';
import type { CommandOrigin, CommandRow, CommandRows, ListedCommand } from './store/ports/commands.ts';

export interface CommandQueue extends Omit<CommandRows, 'add' | 'list' | 'get'> {
  /**
   * Durable when it resolves. The same command again is answered as it stands now; another one under its `command_id` is a
   * conflict (409), as is one for a revoked agent, and what no agent would take is refused (422). At most `maxWaiting` wait for one agent (429).
   */
  add(
    agent: Agent,
    jws: string,
    at: Date,
    maxWaiting: number,
    origin?: CommandOrigin,
  ): Promise<{ row: CommandRow; added: boolean }>;
  /** Newest first; `before` is an `id` of a row. What can no longer be sent is `expired`, whether that is noted yet or not. */
  list(
    agentId: string,
    page: { before?: number | undefined; limit: number },
    now: Date,
  ): Promise<ListedCommand[]>;
  /** The newest command of this id, of whichever agent. */
  get(commandId: string, now: Date): Promise<CommandRow | null>;
}

/** Signed commands on their way to agents: kept until the agent has answered or their time is over. */
export function createCommandQueue(rows: CommandRows): CommandQueue {
  return {
    ...rows,
    async add(agent, jws, at, maxWaiting, origin) {
      const command = readCommandClaims(jws, agent, at);
      const { agent_id } = agent;
      const { command_id, action } = command;
      const draft = {
        agent_id,
        command_id,
        action,
        jws,
        expires_at: new Date(command.expires).toISOString(),
        run_id: command.action === 'run' || command.action === 'cancel' ? command.run_id : null,
        flow: command.action === 'run' || command.action === 'rollback' ? command.flow : null,
        version: command.action === 'run' ? (command.version ?? null) : null,
      };
      const done = await rows.add(draft, at, maxWaiting, origin);
      if (done.kind === 'added') return { row: done.row, added: true };
      if (done.kind === 'there' && done.jws === jws) return { row: done.row, added: false };
      if (done.kind === 'revoked') {
        const message = `expected an agent in good standing, found ${agent_id}, revoked at ${done.revoked_at}`;
        throw new RequestRefused(409, 'agent_revoked', message);
      }
      if (done.kind === 'there') {
        const message = `expected a command_id of its own for every command, found ${command_id} used before`;
        throw new RequestRefused(409, 'command_id_used', message);
      }
      const message = `expected at most ${maxWaiting} commands waiting for one agent, found ${done.waiting}; let it take them first`;
      throw new RequestRefused(429, 'too_many_commands', message, { 'retry-after': '60' });
    },
    list: async (agentId, page, now) =>
      (await rows.list(agentId, page)).map((found) => {
        const row = asOf(found, now);
        const isOver = row.action === 'run' && row.state === 'expired' && row.run_state === 'asked';
        return isOver ? { ...row, run_state: 'expired' } : row;
      }),
    async get(commandId, now) {
      const row = await rows.get(commandId);
      return row === null ? null : asOf(row, now);
    },
  };
}

// An answer to one that was sent may be on its way.
function asOf<Row extends CommandRow>(row: Row, now: Date): Row {
  return row.state === 'queued' && row.expires_at <= now.toISOString()
    ? { ...row, state: 'expired', settled_at: row.expires_at }
    : row;
}
