import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { migratedLine } from './settings/migration-texts.ts';
import { type ConsoleClock, type ConsoleState, KEY_FILE, openState } from './state.ts';
import { TenantFault } from './tenants.ts';
import { lostKeyLine } from './whole-data.ts';

export const DEFAULT_DATA = './console-data';

/** What a hint adds to a verb, so that it works on the same console: nothing, or ` --data <dir>`. */
export function dataOption(data: string): string {
  return data === DEFAULT_DATA ? '' : ` --data ${resolve(data)}`;
}

/** In the data folder of every console that was ever started. */
const DATABASE = 'console.db';

/** Path of the database of a console that was started before; throws `TenantFault` when none was. */
export function expectDatabase(data: string): string {
  const folder = resolve(data);
  const path = join(folder, DATABASE);
  if (existsSync(path)) return path;
  throw new TenantFault(
    `expected the data of a console in ${folder}, found none; run this in the folder in which edge-console runs, or name its data folder with --data (edge-console without a verb starts a console, and makes the folder)`,
  );
}

/**
 * The state of a console that was started before; throws `TenantFault` when none was. Starting makes the data folder, and
 * nothing else does: a verb in the wrong folder would make a second console there, whose tenants and tokens are worth nothing.
 */
export async function openExistingState(data: string, clock: ConsoleClock): Promise<ConsoleState> {
  expectDatabase(data);
  return openTold(resolve(data), clock);
}

/** Opens the state, or makes it; says on standard error when the data was of an older console, or its key is lost. */
export async function openTold(data: string, clock: ConsoleClock): Promise<ConsoleState> {
  const state = await openState(data, clock);
  const { upgraded } = state.store;
  if (upgraded !== null) process.stderr.write(`${migratedLine(upgraded)}\n`);
  if (state.lostKey) process.stderr.write(`${lostKeyLine(join(resolve(data), KEY_FILE))}\n`);
  return state;
}
