import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { AGENT_MAIN } from './agent-program.ts';
import type { World } from './world.ts';

export interface Daemon {
  readonly process: ChildProcess;
  output(): string;
  /** Ends it and gives its exit code, or the signal's name. */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

/** `edge-agent run` as a process of its own. */
export function startDaemon(world: World): Daemon {
  return startCommand(world, 'run');
}

/** Any verb as a process that goes on. */
export function startCommand(world: World, ...args: string[]): Daemon {
  return startProgram(AGENT_MAIN, world.folder, ['--config', world.config, ...args]);
}

/** A program of ours as a process that goes on. */
export function startProgram(main: string, cwd: string, args: readonly string[]): Daemon {
  const child = spawn(process.execPath, [main, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  return {
    process: child,
    output: () => text,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      return ended;
    },
  };
}

/** Asks again until the answer is truthy; fails loudly after `withinMs`. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  withinMs = 60_000,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`expected within ${withinMs} ms: ${what}`);
    await sleep(50);
  }
}
