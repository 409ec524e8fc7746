import { vi } from 'vitest';
import { commandChannelContract, type Told } from '../../contract/command-channel.ts';
import { startAgentSide } from '../../support/tunnel-agent.ts';
import { startTunnelConsole } from '../../support/tunnel-console.ts';

/** Taken by the harness itself: what was sent before it and is not answered when it is was left unanswered. */
const FENCE = 'fence';
const WAIT = { timeout: 60_000, interval: 5 };

commandChannelContract('websocket', async (receive) => {
  const server = await startTunnelConsole();
  const agent = startAgentSide({ url: server.url });
  agent.receive((jws) =>
    jws === FENCE ? Promise.resolve({ kind: 'accepted', commandId: FENCE }) : receive(jws),
  );
  await vi.waitUntil(() => server.connections.length === 1, WAIT);
  const [connection] = server.connections;
  if (connection === undefined) throw new Error('unreachable');
  let sent = 0;
  const answered = (id: string): Told | null => {
    for (const { data } of connection.of('edgeflows.ack')) {
      const { ids, refused = [] } = data as { ids: string[]; refused?: { id: string; code: string }[] };
      if (ids.includes(id)) return { kind: 'acknowledged' };
      const found = refused.find((each) => each.id === id);
      if (found !== undefined) return { kind: 'refused', code: found.code };
    }
    return null;
  };
  return {
    async send(jws) {
      sent += 1;
      const [id, fence] = [`command-${sent}`, `fence-${sent}`];
      connection.send('edgeflows.command', jws, id);
      connection.send('edgeflows.command', FENCE, fence);
      await vi.waitUntil(() => answered(fence) !== null, WAIT);
      return answered(id) ?? { kind: 'later' };
    },
    async close() {
      await agent.stop();
      await server[Symbol.asyncDispose]();
    },
  };
});
