import { createAutoHotkeyExecutor } from '../executors/autohotkey.ts';
import { ownCgroup } from '../executors/cgroup.ts';
import { createPythonExecutor } from '../executors/python.ts';
import { createServiceExecutor } from '../executors/service.ts';
import { captureLatest } from '../executors/service-output.ts';
import { createServiceLauncher } from '../executors/service-process.ts';
import { createSubprocessExecutor } from '../executors/subprocess.ts';
import { createUnsupportedExecutor } from '../executors/unsupported.ts';
import type { Clock, Executor, ServiceLauncher } from '../reconciler/ports.ts';
import type { Runtime } from '../schemas/manifest-v1.ts';

export interface Executors {
  /** One a runtime; one that cannot run on this machine says so at plan time. */
  readonly executors: ReadonlyMap<Runtime, Executor>;
  readonly launcher: ServiceLauncher;
}

export function createExecutors(clock: Clock): Executors {
  const deps = { clock, environment: process.env, cgroup: ownCgroup };
  const python = createPythonExecutor(deps);
  const subprocess = createSubprocessExecutor(deps, python);
  // a service goes on for months: its newest output is kept, not its first
  const lasting = { ...deps, capture: captureLatest };
  const launcher = createServiceLauncher(createSubprocessExecutor(lasting, createPythonExecutor(lasting)));
  const executors = [
    python,
    subprocess,
    createServiceExecutor(subprocess),
    createUnsupportedExecutor('playwright'),
    createAutoHotkeyExecutor(deps),
  ];
  return { executors: new Map(executors.map((executor) => [executor.runtime, executor])), launcher };
}
