import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { GIT_BUDGETS } from '../../../sources/git/budgets.ts';
import type { Commits } from '../hostile-git-server.ts';
import type { HostileWorld, RunningAgent } from '../hostile-world.ts';
import { isReadable } from './attempts.ts';
import { mutationOf } from './mutations.ts';

/**
 * One attempt with an answer that was changed at random. `faults`: what should not have happened, with the seed that makes it happen
 * again; `taken`: the commit that is applied in full afterwards.
 */
export async function tellMutation(
  world: HostileWorld,
  agent: RunningAgent,
  seed: number,
  commits: Commits,
): Promise<{ faults: string[]; taken: string | null }> {
  const { what, tell } = mutationOf(seed);
  const before = world.neighbourhood();
  world.server.lie({ what, exit: 5, code: null, tell }, commits);
  const { answer, fetcherPeakBytes } = await agent.attempt();
  world.server.lie(null);

  const { exit_code: exit, problems, report } = answer;
  const applied = report.source.last_applied_revision;
  const known = [commits.tip, commits.previous].map((commit) => `tenant/acme@sha1:${commit}`);
  const held: Readonly<Record<string, boolean>> = {
    'the exit code is one of 0, 3, 4, 5': [0, 3, 4, 5].includes(exit),
    'every sentence can be shown': problems.every(({ message }) => isReadable(message)),
    'the fetcher keeps to its memory': fetcherPeakBytes < GIT_BUDGETS.childMemoryBytes,
    'no scratch folder is left': !existsSync(join(world.cache, '.agent', 'git-scratch')),
    'nothing changed unless all was well': exit === 0 || isDeepStrictEqual(world.neighbourhood(), before),
    'what was taken was published': known.includes(applied ?? ''),
  };
  const broken = Object.keys(held).filter((rule) => held[rule] === false);
  const said = `seed ${seed} (${what}) ended with ${exit} ${JSON.stringify(problems)}`;
  return {
    faults: broken.map((rule) => `expected that ${rule}: ${said}`),
    taken: exit === 0 ? (applied?.slice(-40) ?? null) : null,
  };
}
