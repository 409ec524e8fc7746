// A process to be killed: builds the environment of a bundle, and says how that ended.
//
//   node test/support/environment-builder.ts <envs folder> <bundle> <settings as JSON>
import { createInterpreterFinder } from '../../executors/interpreter.ts';
import { createPythonEnvironments } from '../../executors/python-environments.ts';
import type { RunSettings } from '../../reconciler/ports.ts';
import { createSystemClock } from '../../system/clock.ts';

const [folder, directory, json] = process.argv.slice(2) as [string, string, string];
const settings = JSON.parse(json) as RunSettings;
const { signal } = new AbortController();
const interpreter = await createInterpreterFinder(process.env).find(settings, signal);
if (interpreter.kind !== 'found') throw new Error(interpreter.message);
const environments = createPythonEnvironments({
  folder,
  clock: createSystemClock(),
  environment: process.env,
  events: { emit: ({ reason }) => void process.stdout.write(`${reason}\n`) },
});
process.stdout.write('building\n');
const built = await environments.build(
  { directory, flow: 'a', version: 'v1' },
  interpreter,
  settings,
  signal,
);
process.stdout.write(`${built.kind}\n`);
