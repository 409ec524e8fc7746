import type { Executor, Stalled } from '../reconciler/ports.ts';
import { didNotStart } from './process.ts';

/** Stands for a runtime that manifests may name and this version of the agent does not run: says so before anything is downloaded. */
export function createUnsupportedExecutor(
  runtime: Executor['runtime'],
  now: () => Date = () => new Date(),
): Executor {
  const message = `expected a runtime that this version of the agent runs (python, subprocess), found "${runtime}": update the agent, or release the flow with another runtime`;
  const stalled: Stalled = { kind: 'stalled', code: 'runtime_unsupported', message };
  return {
    runtime,
    supports: () => Promise.resolve(stalled),
    prepare: () => Promise.resolve(stalled),
    start: () => Promise.resolve(didNotStart(message, now(), now())),
  };
}
