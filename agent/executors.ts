import { join } from 'node:path';
import { createAutoHotkeyExecutor } from '../executors/autohotkey.ts';
import { type BrowserFolders, createBrowserFolders } from '../executors/browser-folders.ts';
import { ownCgroup } from '../executors/cgroup.ts';
import type { FlowSandbox } from '../executors/flow-sandbox.ts';
import { createPlaywrightExecutor } from '../executors/playwright.ts';
import { createPythonExecutor } from '../executors/python.ts';
import { createPythonEnvironments, type PythonEnvironments } from '../executors/python-environments.ts';
import { createServiceExecutor } from '../executors/service.ts';
import { captureLatest } from '../executors/service-output.ts';
import { createServiceLauncher } from '../executors/service-process.ts';
import { createSubprocessExecutor } from '../executors/subprocess.ts';
import type { Clock, EventSink, Executor, ServiceLauncher } from '../reconciler/ports.ts';
import type { Runtime } from '../schemas/manifest-v1.ts';

export interface Executors {
  /** One a runtime; one that cannot run on this machine says so at plan time. */
  readonly executors: ReadonlyMap<Runtime, Executor>;
  readonly launcher: ServiceLauncher;
  readonly environments: PythonEnvironments;
  readonly browsers: BrowserFolders;
}

export function createExecutors(
  clock: Clock,
  events: EventSink,
  stateDirectory: string,
  sandbox: FlowSandbox,
): Executors {
  const folder = join(stateDirectory, 'envs');
  const environments = createPythonEnvironments({ folder, clock, environment: process.env, events });
  const browsers = createBrowserFolders({ folder, clock, environment: process.env, events });
  const deps = { clock, environment: process.env, cgroup: ownCgroup, sandbox, environments };
  const python = createPythonExecutor(deps);
  const subprocess = createSubprocessExecutor(deps, python);
  // a service goes on for months: its newest output is kept, not its first
  const lasting = { ...deps, capture: captureLatest };
  const launcher = createServiceLauncher(createSubprocessExecutor(lasting, createPythonExecutor(lasting)));
  const executors = [
    python,
    subprocess,
    createServiceExecutor(subprocess),
    createPlaywrightExecutor({ ...deps, browsers, folder }),
    createAutoHotkeyExecutor(deps),
  ];
  const byRuntime = new Map(executors.map((executor) => [executor.runtime, executor]));
  return { executors: byRuntime, launcher, environments, browsers };
}
