import { vi } from 'vitest';
import { createManualClock } from '../../system/clock.ts';
import { type AgentSide, type AgentSideOptions, startAgentSide } from './tunnel-agent.ts';
import { type AgentConnection, startTunnelConsole, type TunnelConsole } from './tunnel-console.ts';

/** A console and the agents of one test, which all end with it. */
export interface TunnelSetting {
  readonly server: TunnelConsole;
  start(options?: Partial<AgentSideOptions>): AgentSide;
  /** The n-th connection the console has had, from 0. */
  connection(n?: number): Promise<AgentConnection>;
  /** The same, when the agent has heard the console's hello too. */
  connected(agent: AgentSide, n?: number): Promise<AgentConnection>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startTunnelSetting(): Promise<TunnelSetting> {
  const server = await startTunnelConsole();
  const agents: AgentSide[] = [];
  const connection = async (n = 0) => {
    await until(() => server.connections.length > n);
    return server.connections[n] as AgentConnection;
  };
  return {
    server,
    connection,
    start(options = {}) {
      const agent = startAgentSide({ url: server.url, ...options });
      agents.push(agent);
      return agent;
    },
    async connected(agent, n = 0) {
      const to = await connection(n);
      await until(() => agent.tunnel.state().state === 'connected');
      return to;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(agents.map((agent) => agent.stop()));
      await server[Symbol.asyncDispose]();
    },
  };
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitUntil(condition, { timeout: 60_000, interval: 3 });
}

/** Resolves when the agent has handled everything that was sent to it before. */
export async function settled(to: AgentConnection): Promise<void> {
  const before = to.of('edgeflows.echo.reply').length;
  to.send('edgeflows.echo.request', null);
  await until(() => to.of('edgeflows.echo.reply').length > before);
}

/** Ids of the commands the agent has acknowledged, in order. */
export function acknowledgedBy(to: AgentConnection): string[] {
  return to.of('edgeflows.ack').flatMap(({ data }) => (data as { ids: string[] }).ids);
}

export function clockAtStart(): ReturnType<typeof createManualClock> {
  return createManualClock(new Date('2026-11-20T15:00:00Z'));
}

/** Moves a stopped clock until something is so; how far it was moved, in milliseconds. Takes the real time that sockets need. */
export async function advanceUntil(
  clock: ReturnType<typeof createManualClock>,
  stepMs: number,
  condition: () => boolean,
): Promise<number> {
  let moved = 0;
  while (!condition()) {
    if (moved > 3_600_000)
      throw new Error('expected it within an hour of the clock, found that nothing came');
    await clock.advance(stepMs);
    moved += stepMs;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return moved;
}
