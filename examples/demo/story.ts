import { reconcileOnce, runAFailingFlow, runAFlow } from './first-release.ts';
import { commandARun, publishTheNextRelease, tamperWithARelease } from './next-releases.ts';
import { enrolTheMachine, openTheConsole, publishTheFirstRelease } from './setting.ts';
import type { Cast, Stage } from './stage.ts';

/** The main job from a commit to a result, twice, and a release that is not believed. Resolves with who goes on living. */
export async function tellStory(stage: Stage): Promise<Cast> {
  const { saas, tenant, keys } = await openTheConsole(stage);
  const { publisher, failing } = await publishTheFirstRelease(stage, tenant, keys);
  const machine = await enrolTheMachine(stage, saas);
  const cast = { saas, publisher, machine, failing };
  await reconcileOnce(stage, cast);
  await runAFlow(stage, cast);
  await runAFailingFlow(stage, cast);
  await publishTheNextRelease(stage, cast);
  await commandARun(stage, cast);
  await tamperWithARelease(stage, cast);
  return cast;
}
