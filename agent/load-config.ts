import { loadConfigFile } from '../sources/config-file.ts';
import { formatProblem } from '../system/document-problem.ts';
import { OperationError } from './operation-error.ts';

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
