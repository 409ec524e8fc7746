import { ownCgroup } from '../executors/cgroup.ts';
import { createPythonExecutor } from '../executors/python.ts';
import { createSubprocessExecutor } from '../executors/subprocess.ts';
import { createUnsupportedExecutor } from '../executors/unsupported.ts';
import type { Clock, Executor } from '../reconciler/ports.ts';
import type { Runtime } from '../schemas/manifest-v1.ts';

/** One executor a runtime; those that this version cannot run yet say so at plan time. */
export function createExecutors(clock: Clock): ReadonlyMap<Runtime, Executor> {
  const deps = { clock, environment: process.env, cgroup: ownCgroup };
  const executors = [
    createPythonExecutor(deps),
    createSubprocessExecutor(deps),
    createUnsupportedExecutor('playwright'),
    createUnsupportedExecutor('ahk'),
    createUnsupportedExecutor('service'),
  ];
  return new Map(executors.map((executor) => [executor.runtime, executor]));
}
