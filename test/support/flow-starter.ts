// An agent to be killed: starts a Playwright flow, says which process it is, and waits for its end.
//
//   node test/support/flow-starter.ts <envs folder> <request as JSON> <settings as JSON>
import { createBrowserFolders } from '../../executors/browser-folders.ts';
import { createPlaywrightExecutor } from '../../executors/playwright.ts';
import { createPythonEnvironments } from '../../executors/python-environments.ts';
import type { RunRequest, RunSettings } from '../../reconciler/ports.ts';
import { createSystemClock } from '../../system/clock.ts';

const [folder, request, settings] = process.argv.slice(2) as [string, string, string];
const deps = { folder, clock: createSystemClock(), environment: process.env, events: null };
const executor = createPlaywrightExecutor({
  ...deps,
  cgroup: () => null,
  environments: createPythonEnvironments(deps),
  browsers: createBrowserFolders(deps),
});
const handle = await executor.start(JSON.parse(request) as RunRequest, JSON.parse(settings) as RunSettings);
process.stdout.write(`${JSON.stringify(handle.process)}\n`);
await handle.done;
