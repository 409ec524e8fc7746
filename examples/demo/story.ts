import type { Cast } from './cast.ts';
import { reconcileOnce, runAFailingFlow, runAFlow } from './first-release.ts';
import { commandARun, publishTheNextRelease, tamperWithARelease } from './next-releases.ts';
import { enrolTheMachines, openTheConsole, publishTheFirstRelease } from './setting.ts';
import type { Stage } from './stage.ts';
import { lookAtTheFleet } from './whole-fleet.ts';

/** The main job from a commit to a result, twice, a release that is not believed, and the fleet. Resolves with who goes on living. */
export async function tellStory(stage: Stage): Promise<Cast> {
  const { saas, tenant, keys } = await openTheConsole(stage);
  const { publisher, others } = await publishTheFirstRelease(stage, tenant, keys);
  const { machine, gathering } = await enrolTheMachines(stage, saas);
  const alone = { saas, tenant, publisher, machine, others };
  await reconcileOnce(stage, alone);
  await runAFlow(stage, alone);
  await runAFailingFlow(stage, alone);
  const cast: Cast = { ...alone, fleet: await gathering };
  await publishTheNextRelease(stage, cast);
  await commandARun(stage, cast);
  await tamperWithARelease(stage, cast);
  await lookAtTheFleet(stage, cast);
  return cast;
}
