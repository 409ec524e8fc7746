import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { GIT_BUDGETS } from '../../sources/git/budgets.ts';
import { recover, secretsIn } from '../support/hostile-git/attempts.ts';
import { tellMutation } from '../support/hostile-git/mutated-attempt.ts';
import { createHostileWorld, type HostileWorld, type RunningAgent } from '../support/hostile-world.ts';

// A guard against hanging, on a machine that does many other things.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

/** How many, and where the seeds begin: `EDGE_AGENT_MUTATIONS=5000 EDGE_AGENT_MUTATION_SEED=17`. */
const COUNT = Number(process.env['EDGE_AGENT_MUTATIONS'] ?? 40);
const FIRST = Number(process.env['EDGE_AGENT_MUTATION_SEED'] ?? 20_261_121);
/** With this many to one commit, the honest attempts after it cost less than the lies. */
const TO_ONE_COMMIT = 5;

let world: HostileWorld;
let agent: RunningAgent;
let previous: string;

beforeAll(async () => {
  world = await createHostileWorld();
  previous = await world.publish();
  agent = await world.start();
  await recover(agent);
});
afterAll(async () => {
  await agent?.stop();
  await world?.[Symbol.asyncDispose]();
});

test.each(Array.from({ length: Math.ceil(COUNT / TO_ONE_COMMIT) }, (_, n) => FIRST + n * TO_ONE_COMMIT))(
  'answers of git with changes at random, seeds from %i, end as not yet or are what git said',
  async (seed) => {
    let tip = await world.publish();
    const faults: string[] = [];
    for (let next = seed; next < Math.min(seed + TO_ONE_COMMIT, FIRST + COUNT); next += 1) {
      const told = await tellMutation(world, agent, next, { tip, previous });
      faults.push(...told.faults);
      if (told.taken === tip) [previous, tip] = [tip, await world.publish()];
    }
    expect(faults).toEqual([]);
    expect(await recover(agent)).toBe(tip);
    previous = tip;
  },
);

test('and none of it is more than the agent may take, or holds a secret', () => {
  expect(agent.peakBytes()).toBeLessThan(GIT_BUDGETS.childMemoryBytes);
  expect(secretsIn(world, agent.daemon.output())).toEqual([]);
});
