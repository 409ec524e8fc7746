import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConsoleSettings } from '../../schemas/console/settings.ts';
import { formatProblem } from '../../system/document-problem.ts';
import { readSmallFile } from '../../system/small-file.ts';
import { parseYaml } from '../../system/yaml-document.ts';
import { DEFAULT_DATA } from '../data-folder.ts';
import { TenantFault } from '../tenants.ts';

const FILE = 'console.yaml';
const MAX_BYTES = 256 * 1_024;

export interface LoadedSettings {
  readonly settings: ConsoleSettings;
  /** Absolute path of the file; null when there is none and everything is as it is at first. */
  readonly file: string | null;
  /** The data folder that counts: the option's, or the file's (its relative paths start at it), or `./console-data`. */
  readonly data: string;
}

/**
 * The settings of a console: of the file that `config` names; or of `./console.yaml`; or of `console.yaml` in the data folder; or
 * none. Throws `TenantFault`, one line a problem (`console.yaml:12:3: …`).
 */
export async function loadSettings(options: {
  readonly config?: string | undefined;
  readonly data?: string | undefined;
}): Promise<LoadedSettings> {
  const data = options.data ?? DEFAULT_DATA;
  const file = options.config ?? [FILE, join(data, FILE)].find((place) => existsSync(place));
  if (file === undefined) return { settings: ConsoleSettings.parse({ version: 1 }), file: null, data };
  const { settings, saysData } = await readSettings(file);
  const folder = dirname(resolve(file));
  const { tls, backup } = settings;
  return {
    settings: {
      ...settings,
      ...(tls === undefined
        ? {}
        : { tls: { key_file: resolve(folder, tls.key_file), cert_file: resolve(folder, tls.cert_file) } }),
      ...(backup === undefined ? {} : { backup: { ...backup, dir: resolve(folder, backup.dir) } }),
    },
    file: resolve(file),
    data: options.data ?? (saysData ? resolve(folder, settings.data) : data),
  };
}

async function readSettings(
  file: string,
): Promise<{ readonly settings: ConsoleSettings; readonly saysData: boolean }> {
  const read = await readSmallFile(file, MAX_BYTES).catch((error: unknown) => {
    throw new TenantFault(`${file}: expected a file to read: ${(error as Error).message}`);
  });
  if (read.kind !== 'read') {
    throw new TenantFault(`${file}: expected a configuration file, found ${read.kind.replace('_', ' ')}`);
  }
  const outcome = parseYaml(read.bytes, ConsoleSettings, { maxBytes: MAX_BYTES });
  if (outcome.kind === 'valid') {
    return { settings: outcome.value, saysData: Object.hasOwn(outcome.raw as object, 'data') };
  }
  throw new TenantFault(outcome.problems.map((problem) => formatProblem(file, problem)).join('\n'));
}
