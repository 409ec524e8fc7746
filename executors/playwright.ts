import { join } from 'node:path';
import type { Executor, PreparedVersion, RunSettings, Setback, Stalled } from '../reconciler/ports.ts';
import { type BrowserFolder, type BrowserFolders, noPlaywright } from './browser-folders.ts';
import { createInterpreterFinder } from './interpreter.ts';
import { type Recording, recorderProgram, recordingOf } from './playwright-recorder.ts';
import { didNotStart, type ProcessDependencies, startFlow, startOn } from './process.ts';
import { startSignal, subjectOf } from './python.ts';
import type { PythonEnvironment, PythonEnvironments } from './python-environments.ts';

export interface PlaywrightDependencies extends ProcessDependencies {
  readonly environments: PythonEnvironments;
  readonly browsers: BrowserFolders;
  /** `<state>/envs`, where the program that records is kept. */
  readonly folder: string;
}

/**
 * `runtime: playwright`: the entrypoint under the Python of the bundle's environment, whose Playwright finds a browser. With
 * `EDGE_TRACE` or `EDGE_VIDEO` in the flow's environment, traces and videos are among its outputs.
 */
export function createPlaywrightExecutor(deps: PlaywrightDependencies): Executor {
  const interpreters = createInterpreterFinder(deps.environment);

  const ready = async (
    version: PreparedVersion,
    settings: RunSettings,
    how: 'build' | 'open',
    signal: AbortSignal,
  ): Promise<Ready | Setback> => {
    const interpreter = await interpreters.find(settings, signal);
    if (interpreter.kind !== 'found') return interpreter;
    const subject = subjectOf(version);
    const environment = await deps.environments[how](subject, interpreter, settings, signal);
    if (environment.kind === 'none') return noPlaywright(null);
    if (environment.kind !== 'ready') return environment;
    const browser = await deps.browsers.obtain(environment, subject, settings, signal);
    if (browser.kind !== 'ready') return browser;
    const recording = recordingOf({ ...settings.env, ...version.spec.env });
    if (recording.video && !browser.video) return noRecorder();
    return { kind: 'ready', environment, browser, recording };
  };

  return {
    runtime: 'playwright',
    async supports(settings, signal) {
      const interpreter = await interpreters.find(settings, signal);
      return interpreter.kind === 'found' ? { kind: 'supported' } : interpreter;
    },
    async prepare(version, settings, signal) {
      const found = await ready(version, settings, 'build', signal);
      return found.kind === 'ready' ? { kind: 'ready' } : found;
    },
    async start(request, settings) {
      const startedAt = deps.clock.now();
      const found = await ready(request, settings, 'open', startSignal(request));
      if (found.kind !== 'ready') return didNotStart(found.message, startedAt, deps.clock.now());
      const { environment, browser, recording } = found;
      const records = recording.trace || recording.video;
      const args = [
        ...(records ? [await recorderProgram(deps.folder)] : []),
        join(request.directory, request.entrypoint),
        ...(request.args ?? request.spec.args),
      ];
      const command = {
        file: environment.python,
        args,
        environment: { PLAYWRIGHT_BROWSERS_PATH: browser.registry },
      };
      const holds = [deps.environments.hold(environment), deps.browsers.hold(browser)];
      const release = () => {
        for (const letGo of holds) letGo();
      };
      return startOn(release, () => startFlow(command, request, settings, deps));
    },
  };
}

interface Ready {
  readonly kind: 'ready';
  readonly environment: PythonEnvironment;
  readonly browser: BrowserFolder;
  readonly recording: Recording;
}

function noRecorder(): Stalled {
  return {
    kind: 'stalled',
    code: 'browser_missing',
    message:
      'EDGE_VIDEO asks for videos: expected ffmpeg on PATH, found none. Install it (on Debian: ffmpeg), or take EDGE_VIDEO out of the environment of the flow',
  };
}
