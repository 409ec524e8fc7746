import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pino } from 'pino';
import { createSystemClock } from '../system/clock.ts';
import { createAdmin } from './admin.ts';
import { type BackupSchedule, startBackups } from './backup/backup-schedule.ts';
import { dataOption, openTold } from './data-folder.ts';
import { createConsole } from './server.ts';
import { limitsOf, overruled, type ServeChoices } from './settings/effective.ts';
import { loadSettings } from './settings/settings-file.ts';
import { startTexts } from './start-texts.ts';
import { TenantFault } from './tenants.ts';

export interface ServeOptions extends ServeChoices {
  readonly config?: string;
  readonly data?: string;
  readonly output: 'text' | 'json';
}

/**
 * Runs the console until SIGINT or SIGTERM, as `console.yaml` and then the options have it. Makes the data directory and, at the
 * first start, a key of the read API.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const stopped = stopSignal();
  try {
    const loaded = await loadSettings(options);
    const { data, file } = loaded;
    const settings = overruled(loaded.settings, options);
    const tls = settings.tls === undefined ? undefined : tlsOf(settings.tls);
    const clock = createSystemClock();
    // What a migration does is told before anything else is done.
    await (await openTold(data, clock)).close();
    const log = pino({ level: settings.log.level }, pino.destination({ dest: 2, sync: true }));
    const server = await createConsole({
      dataDirectory: data,
      host: settings.listen.host,
      port: settings.listen.port,
      publicUrl: settings.public_url,
      trustedProxies: settings.trusted_proxies,
      tls,
      limits: limitsOf(settings),
      log,
      clock,
    });
    let backups: BackupSchedule | undefined;
    try {
      const url = await server.listen();
      // Not before: a first start that fails (the port is in use) would make a key that nobody ever sees.
      const apiKey = await firstApiKey(data);
      if (settings.backup !== undefined) {
        backups = startBackups({ settings: settings.backup, data, log, now: () => clock.now() });
      }
      const about = { url, data: resolve(data), file, apiKey, setupUrl: await server.setupUrl() };
      process.stdout.write(
        options.output === 'json'
          ? `${JSON.stringify({ url, data: about.data, settings: file, api_key: apiKey, setup_url: about.setupUrl })}\n`
          : startTexts(about, {
              hint: hintOf(options, data),
              isTerminal: process.stdout.isTTY,
              env: process.env,
            }),
      );
      await stopped.promise;
    } finally {
      await backups?.close();
      await server.close();
    }
  } finally {
    stopped.dispose();
  }
}

/** A key when there is none yet, else null. */
async function firstApiKey(data: string): Promise<string | null> {
  const state = await openTold(data, createSystemClock());
  try {
    return (await state.apiKeys.count()) === 0 ? await createAdmin(state).newApiKey('first start') : null;
  } finally {
    await state.close();
  }
}

/** What another verb needs to find the same data from this folder. */
function hintOf({ data, config }: ServeOptions, found: string): string {
  if (data !== undefined) return dataOption(found);
  return config === undefined ? '' : ` --config ${resolve(config)}`;
}

function tlsOf(files: { readonly key_file: string; readonly cert_file: string }) {
  const read = (file: string) => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw new TenantFault(`expected a PEM file for TLS, found: ${(error as Error).message}`);
    }
  };
  return { key: read(files.key_file), cert: read(files.cert_file) };
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
