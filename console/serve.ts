import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pino } from 'pino';
import { createSystemClock } from '../system/clock.ts';
import { createAdmin } from './admin.ts';
import { dataOption } from './data-folder.ts';
import { createConsole } from './server.ts';
import { openState } from './state.ts';
import { TenantFault } from './tenants.ts';

export interface ServeOptions {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly publicUrl?: string;
  readonly tlsKey?: string;
  readonly tlsCert?: string;
  readonly logLevel: string;
  readonly output: 'text' | 'json';
}

/** Runs the console until SIGINT or SIGTERM. Makes the data directory and, at the first start, a key of the read API. */
export async function serve(options: ServeOptions): Promise<void> {
  const stopped = stopSignal();
  try {
    const clock = createSystemClock();
    const apiKey = await firstApiKey(options.data);
    const log = pino({ level: options.logLevel }, pino.destination({ dest: 2, sync: true }));
    const server = createConsole({
      dataDirectory: options.data,
      host: options.host,
      port: options.port,
      publicUrl: options.publicUrl,
      tls: tlsOf(options),
      log,
      clock,
    });
    try {
      const url = await server.listen();
      announce(options, url, apiKey);
      await stopped.promise;
    } finally {
      await server.close();
    }
  } finally {
    stopped.dispose();
  }
}

/** A key when there is none yet, else null. */
async function firstApiKey(data: string): Promise<string | null> {
  const state = openState(data, createSystemClock());
  try {
    return (await state.apiKeys.count()) === 0 ? await createAdmin(state).newApiKey('first start') : null;
  } finally {
    state.close();
  }
}

function announce(options: ServeOptions, url: string, apiKey: string | null): void {
  const data = resolve(options.data);
  if (options.output === 'json') {
    process.stdout.write(`${JSON.stringify({ url, data, api_key: apiKey })}\n`);
    return;
  }
  const key =
    apiKey === null
      ? ''
      : `\n  API key   ${apiKey}\n            (header X-Api-Key; shown only now, another one: key new)`;
  process.stdout.write(`The console is listening.

  address   ${url}
  data      ${data}${key}

Next, in ${process.cwd()}: edge-console tenant add <slug> --root <file>${dataOption(options.data)}
Ctrl-C ends it.
`);
}

function tlsOf({ tlsKey, tlsCert }: ServeOptions): { key: string; cert: string } | undefined {
  if (tlsKey === undefined && tlsCert === undefined) return undefined;
  if (tlsKey === undefined || tlsCert === undefined) {
    throw new TenantFault('expected --tls-key and --tls-cert together, found one of them');
  }
  return { key: readFileSync(tlsKey, 'utf8'), cert: readFileSync(tlsCert, 'utf8') };
}

/** The first signal ends the console in peace; a second one ends the process at once, as without us. */
function stopSignal(): { promise: Promise<void>; dispose: () => void } {
  const { promise, resolve: stop } = Promise.withResolvers<void>();
  const dispose = () => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  };
  const onSignal = () => {
    dispose();
    stop();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return { promise, dispose };
}
