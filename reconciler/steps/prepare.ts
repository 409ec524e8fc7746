import { DONE, type FlowStep, type StepResult } from '../context.ts';
import { resolveEntrypoint } from '../entrypoint.ts';
import type { Executor, Setback } from '../ports.ts';

/** Makes the version runnable before it may become active. */
export const prepare: FlowStep = {
  name: 'prepare',
  phase: 'preparing',
  async run(context, work): Promise<StepResult> {
    const { spec, path, version, revision } = work;
    const at = { flow: spec.id, version, revision };
    const failed = (reason: 'FlowStalled' | 'PrepareFailed', found: Setback): StepResult => {
      const setback = ofFlow(spec.id, found);
      context.events.emit({
        severity: 'error',
        reason,
        message: setback.message,
        because: setback.code,
        ...at,
      });
      return setback;
    };
    const found = await resolveEntrypoint(context.store, spec, path);
    if (found.kind === 'stalled') return failed('FlowStalled', found);
    work.entrypoint = found.entrypoint;
    const executor = context.executors.get(spec.runtime) as Executor;
    const unprepared = { spec, directory: context.store.absolute(path), entrypoint: found.entrypoint };
    const prepared = await executor.prepare(unprepared, context.settings().runs, context.signal);
    return prepared.kind === 'ready' ? DONE : failed('PrepareFailed', prepared);
  },
};

/** An executor knows of no flows; with several, a sentence has to say whose it is. */
function ofFlow(flow: string, setback: Setback): Setback {
  const prefix = `flow ${flow}: `;
  if (setback.message.startsWith(prefix)) return setback;
  return { ...setback, message: prefix + setback.message };
}
