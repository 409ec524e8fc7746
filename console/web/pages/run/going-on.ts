import type { ConsoleRunState } from '../../../../schemas/console/run.ts';

type GoingOn = 'asked' | 'queued' | 'running';

/** Whether something may still come of it. */
export function goesOn(state: ConsoleRunState): state is GoingOn {
  return state === 'asked' || state === 'queued' || state === 'running';
}
