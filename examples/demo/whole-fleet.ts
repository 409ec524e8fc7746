import type { Cast } from './cast.ts';
import { shortDigests } from './json-view.ts';
import type { Stage } from './stage.ts';

/** What the page shows on top, in the terminal: how many are ready, and what the one that is not says of itself. */
export async function lookAtTheFleet({ narrator, signal }: Stage, { saas, fleet }: Cast): Promise<void> {
  const ready = fleet.all.length - 1;
  narrator.step(`${ready} of ${fleet.all.length} are ready, and one says what it is short of`);
  const { states, connected, total, worst } = await saas.overview(
    `${ready} agents to be ready and one to be stalled`,
    ({ states, connected, worst }) =>
      states.ready === ready &&
      states.stalled === 1 &&
      connected === fleet.all.length &&
      // It was stalled by release 3 too, for another reason.
      worst[0]?.problem?.reason === 'url_not_allowed',
    signal,
  );
  narrator.typed('GET /api/overview');
  narrator.printed(
    JSON.stringify({ ready: states.ready, stalled: states.stalled, connected: `${connected} of ${total}` }),
  );
  for (const { hostname, problem } of worst) {
    if (problem === null) continue;
    narrator.bad(`${narrator.paint('bold', hostname)}: ${problem.reason}, ${shortDigests(problem.message)}`);
  }
}
