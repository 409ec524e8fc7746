import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { loadConfigFile } from '../sources/config-file.ts';
import { formatProblem } from '../system/document-problem.ts';
import { parseYaml } from '../system/yaml-document.ts';
import { OperationError } from './operation-error.ts';
import { configPath } from './paths.ts';
import { otherOwner } from './state-owner.ts';

export type LoadedConfig = Extract<Awaited<ReturnType<typeof loadConfigFile>>, { kind: 'valid' }>;

/** agent.yaml, or an OperationError that says what is wrong, where, and what to do. Exit code 2. */
export async function loadConfig(path: string): Promise<LoadedConfig> {
  const loaded = await loadConfigFile(path);
  if (loaded.kind === 'valid') return loaded;
  if (loaded.kind === 'missing') {
    const message = `expected agent.yaml here or at ${path}, found none; run "edge-agent enroll", or name the file with --config`;
    throw new OperationError('config_missing', message, { exitCode: 2 });
  }
  const lines = loaded.problems.map((problem) => formatProblem(path, problem));
  throw new OperationError('config_invalid', lines.join('\n'), { exitCode: 2, details: loaded.problems });
}

/**
 * Where the state of an agent is whose agent.yaml is wrong at this moment: a daemon may be working on with the last good one.
 * Null when not even that can be read from it, and when it is another agent's.
 */
export async function stateOfWrongConfig(path: string, signal: AbortSignal): Promise<string | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  const parsed = text === null ? null : parseYaml(text, Places);
  if (parsed?.kind !== 'valid') return null;
  const { edge_cache_dir: cache, credentials_dir: credentials, agent_id, tenant } = parsed.value;
  const state = join(configPath(cache, path), '.agent');
  const claim = { agent_id, tenant, config: path, credentials: configPath(credentials, path), state };
  return (await otherOwner(claim, signal)) === null ? state : null;
}

/** What is wrong may be any of these: a daemon that works here is reached all the same. */
const Places = z.looseObject({
  agent_id: z.string().nullable().default(null).catch(null),
  tenant: z.string().default('').catch(''),
  credentials_dir: z.string().default('./credentials').catch('./credentials'),
  edge_cache_dir: z.string().default('~/EdgeFlows'),
});
