import type { ConsoleLimits } from '../limits.ts';
import type { Notices } from '../notices.ts';
import type { ConsoleState } from '../state.ts';
import type { IndexedRun } from '../store/ports/run-index.ts';

const NEVER_BEGAN = ['refused', 'expired'];
const GOES_ON = ['asked', 'queued', 'running'];
/** Not all that ends a run is told in this process: an agent may be revoked at the shell. */
const LOOK_EVERY_MS = 1_000;

export interface Ending {
  readonly run: IndexedRun | null;
  /** The notify body, once it has come. */
  readonly result: Record<string, unknown> | null;
}

/** Waits for the end of runs. */
export interface RunEndings {
  /**
   * How the run stands when its report has come, when it never began, when its agent is one no more, or after `waitMs` at the latest; at once when too many wait
   * already. Throws the signal's reason when it is aborted.
   */
  wait(agentId: string, runId: string, waitMs: number, signal: AbortSignal): Promise<Ending>;
}

export function createRunEndings(parts: {
  readonly state: ConsoleState;
  readonly notices: Notices;
  readonly limits: Pick<ConsoleLimits, 'runWaiters'>;
}): RunEndings {
  const { state, notices, limits } = parts;
  let waiting = 0;

  const look = async (agentId: string, runId: string): Promise<Ending> => {
    const run = await state.runs.get(agentId, runId);
    // Of one that goes on, an earlier attempt may have been reported.
    if (run === null || GOES_ON.includes(run.state)) return { run, result: null };
    const found = await state.reports.run(runId, { agent: agentId });
    return { run, result: found.kind === 'report' ? (found.body as Record<string, unknown>) : null };
  };
  const isOver = async ({ run, result }: Ending) => {
    if (result !== null || run === null) return result !== null;
    if (NEVER_BEGAN.includes(run.state)) return true;
    // An agent that says so of itself sends a report after it.
    return run.state === 'lost' && (await state.agents.get(run.agent_id))?.revoked_at != null;
  };

  return {
    async wait(agentId, runId, waitMs, signal) {
      // It is asked for already: with too many that wait, the answer comes at once.
      if (waitMs === 0 || waiting >= limits.runWaiters) return look(agentId, runId);
      waiting += 1;
      let news = Promise.withResolvers<void>();
      const tell = () => news.resolve();
      const stops = [
        notices.notify.subscribe(({ agent_id, report }) => {
          if (agent_id === agentId && report.run_id === runId) tell();
        }),
        notices.command.subscribe(({ agent_id }) => {
          if (agent_id === agentId) tell();
        }),
      ];
      const looks = setInterval(tell, LOOK_EVERY_MS);
      const timer = setTimeout(() => {
        late = true;
        tell();
      }, waitMs);
      let late = false;
      signal.addEventListener('abort', tell, { once: true });
      try {
        for (;;) {
          news = Promise.withResolvers<void>();
          const found = await look(agentId, runId);
          signal.throwIfAborted();
          if (late || (await isOver(found))) return found;
          await news.promise;
        }
      } finally {
        waiting -= 1;
        clearInterval(looks);
        clearTimeout(timer);
        signal.removeEventListener('abort', tell);
        for (const stop of stops) stop();
      }
    },
  };
}
