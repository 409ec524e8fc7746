// npm run demo            the console's page and the story, then everything stays up to be tried out
// npm run demo -- --once  the story, and the end
import { constants } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { browserCommand, openInBrowser } from './browser.ts';
import { sayWhatNext } from './curtain.ts';
import { createNarrator } from './narrator.ts';
import { agentProgram } from './program.ts';
import { checkRequirements } from './requirements.ts';
import type { Stage } from './stage.ts';
import { tellStory } from './story.ts';
import { makeWorkplace } from './workplace.ts';

const STORY_DEADLINE_MS = 180_000;

class Interrupted extends Error {
  readonly by: NodeJS.Signals;

  constructor(by: NodeJS.Signals) {
    super(`ended by ${by}`);
    this.by = by;
  }
}

/** The exit code: 0 told to the end, 1 something went wrong, 2 wrong use or something missing, 130 interrupted before the end. */
async function main(argv: readonly string[]): Promise<number> {
  const once = wantsOnce(argv);
  if (once === null) return 2;
  const narrator = createNarrator(process.stdout);
  const ended = new AbortController();
  endOnSignals(ended);
  const started = performance.now();
  const cleanup = new AsyncDisposableStack();
  let progress: 'nothing done' | 'begun' | 'told' = 'nothing done';
  let code = 0;
  try {
    const found = await checkRequirements(ended.signal);
    if (typeof found === 'string') {
      process.stderr.write(`demo: something is missing on this machine\n${found}\n`);
      return 2;
    }
    progress = 'begun';
    narrator.title('Edge-Agent: a commit on the tenant branch becomes a version that runs');
    const folder = await makeWorkplace(cleanup);
    narrator.say(
      `Node ${process.versions.node}, git ${found.git}, Python ${found.python}. Everything is real and lives in ${folder}, on loopback alone.`,
    );
    const stage: Stage = {
      folder,
      narrator,
      program: await agentProgram(),
      openPage: once ? null : pageOpener(),
      signal: ended.signal,
      cleanup,
      fail: (error) => ended.abort(error),
      // Started a dozen times over: Node then compiles its modules once. Everything is on loopback: certificates of the person's own,
      // which Node may warn of in the middle of the story, are asked for nowhere.
      env: { NODE_COMPILE_CACHE: join(folder, 'compiled'), NODE_EXTRA_CA_CERTS: '' },
    };
    const cast = await withinDeadline(ended, () => tellStory(stage));
    progress = 'told';
    narrator.gap();
    narrator.good(`told in ${((performance.now() - started) / 1_000).toFixed(1)} s`);
    if (!once) {
      await sayWhatNext(stage, cast);
      await aborted(ended.signal);
    }
  } catch (error) {
    code = failureCode(ended.signal.aborted ? ended.signal.reason : error, progress === 'told');
  } finally {
    if (!(await cleanedUp(cleanup))) code ||= 1;
    else if (progress !== 'nothing done') {
      narrator.say('Everything the demo started has ended, and its folder is gone.');
    }
  }
  return code;
}

function pageOpener(): Stage['openPage'] {
  const { platform, env, stdout } = process;
  const command = browserCommand({ platform, env, isTerminal: stdout.isTTY });
  return command === null ? null : (url) => openInBrowser(command, url);
}

function wantsOnce(argv: readonly string[]): boolean | null {
  try {
    return parseArgs({ args: [...argv], options: { once: { type: 'boolean', default: false } } }).values.once;
  } catch (error) {
    process.stderr.write(`demo: ${(error as Error).message}\nusage: npm run demo [-- --once]\n`);
    return null;
  }
}

/** npm passes on what the terminal has sent already: the same signal comes twice, and the clean-up is not to be cut short. */
function endOnSignals(ended: AbortController): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => ended.abort(new Interrupted(name)));
  }
  // Whoever reads has gone (`| head`).
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    ended.abort(error.code === 'EPIPE' ? new Interrupted('SIGPIPE') : error);
  });
}

async function withinDeadline<T>(ended: AbortController, work: () => Promise<T>): Promise<T> {
  const late = new Error(
    `expected the demo to be told within ${STORY_DEADLINE_MS / 1_000} s, found it unfinished`,
  );
  const timer = setTimeout(() => ended.abort(late), STORY_DEADLINE_MS);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}

async function aborted(signal: AbortSignal): Promise<never> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  throw signal.reason;
}

function failureCode(reason: unknown, told: boolean): number {
  if (reason instanceof Interrupted) return told ? 0 : 128 + constants.signals[reason.by];
  const message = reason instanceof Error ? reason.message : String(reason);
  process.stderr.write(`\ndemo: ${message}\n`);
  return 1;
}

async function cleanedUp(cleanup: AsyncDisposableStack): Promise<boolean> {
  try {
    await cleanup.disposeAsync();
    return true;
  } catch (error) {
    process.stderr.write(
      `demo: the clean-up failed: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return false;
  }
}

process.exitCode = await main(process.argv.slice(2));
