import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { platformConfigPath } from '../agent/paths.ts';
import { createTerminal, type Terminal } from './terminal.ts';

export interface Globals {
  readonly config: string;
  readonly terminal: Terminal;
  readonly verbose: boolean;
  /** Aborts at Ctrl-C, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** Aborts at the second of them: whoever asked does not want to wait. */
  readonly hurry: AbortSignal;
}

/** One process has one set of signals; this is their only listener. */
const interrupted = new AbortController();
const hurried = new AbortController();

/** Ends what is under way at the first signal, also runs at the second; the third ends the process at once. */
export function listenForSignals(): AbortSignal {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (hurried.signal.aborted) process.exit(130);
      if (interrupted.signal.aborted) hurried.abort(new Interrupted(name));
      interrupted.abort(new Interrupted(name));
    });
  }
  return interrupted.signal;
}

/** The reason of an abort that a person or the system asked for. */
export class Interrupted extends Error {
  override name = 'Interrupted';
  readonly by: NodeJS.Signals;

  constructor(by: NodeJS.Signals) {
    super(`ended by ${by}`);
    this.by = by;
  }
}

export function globalsOf(command: Command): Globals {
  const options = command.optsWithGlobals<{ config?: string; output?: string; verbose?: boolean }>();
  return {
    config: configFile(options.config),
    terminal: createTerminal(options.output === 'json'),
    verbose: options.verbose === true,
    signal: interrupted.signal,
    hurry: hurried.signal,
  };
}

/** `--config`, else ./agent.yaml, else the platform's place. */
function configFile(given: string | undefined): string {
  if (given !== undefined) return resolve(given);
  const here = resolve('agent.yaml');
  return existsSync(here) ? here : platformConfigPath();
}
