import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lie } from '../hostile-git-server.ts';
import { createHostileWorld, type HostileWorld, type RunningAgent } from '../hostile-world.ts';
import { recover, secretsIn, tell, tellWhileRunning } from './attempts.ts';

/** Of one lie and what follows, on a machine that does many other things. */
const PATIENCE_MS = 300_000;

/** Tells lie after lie to one running agent (attempts.ts); after each of them the same server is honest, and is taken at once. */
export function tellingEach(
  catalogue: Readonly<Record<string, readonly Lie[]>>,
  options: { timeout?: string; tries?: number } = {},
): void {
  let world: HostileWorld;
  let agent: RunningAgent;
  let previous: string;

  beforeAll(async () => {
    world = await createHostileWorld(options);
    previous = await world.publish();
    agent = await world.start();
    await recover(agent, options.tries);
  }, PATIENCE_MS);
  afterAll(async () => {
    await agent?.stop();
    await world?.[Symbol.asyncDispose]();
  });

  for (const [what, lies] of Object.entries(catalogue)) {
    describe(`a server that lies in its ${what}`, () => {
      test.each(lies)(
        '$what',
        async (lie) => {
          // Where the listing of the branch lies already, the honest commit is not what would be fetched.
          const tip =
            lie.exit !== 0 && lie.tell?.steps?.includes('branch') === true ? previous : await world.publish();
          await tell(world, agent, lie, { tip, previous });
          expect(await recover(agent, options.tries)).toBe(tip);
          previous = tip;
        },
        PATIENCE_MS,
      );

      test(
        'leaves the flow as it was',
        async () => {
          const lie = lies.find(({ exit }) => exit !== 0) as Lie;
          const commits = { tip: previous, previous };
          expect(await tellWhileRunning(world, agent, lie, commits)).toBe('still here v1\n');
        },
        PATIENCE_MS,
      );
    });
  }

  test('nothing that the agent wrote holds a secret', () => {
    expect(secretsIn(world, agent.daemon.output())).toEqual([]);
  });
}
