import { existsSync } from 'node:fs';
import { chooseAccount } from '../executors/account.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import { loadDeviceKey } from '../trust/device-keys.ts';
import { OperationError } from './operation-error.ts';
import type { AgentPaths } from './paths.ts';
import { createReleaseCheck } from './release-check.ts';

export interface MachineFindings {
  /** With these nothing can be reconciled: the file is wrong for this machine. */
  readonly problems: readonly string[];
  /** With these something will fail later. */
  readonly warnings: readonly string[];
}

/** What a valid agent.yaml asks of this machine and does not find. Nothing is changed, and no server asked. */
export async function checkMachine(config: AgentConfig, paths: AgentPaths): Promise<MachineFindings> {
  const problems: string[] = [];
  try {
    createReleaseCheck().verifier(config, paths);
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    problems.push(error.message);
  }
  if (config.trust.mode === 'required' && paths.root === null) {
    problems.push(
      'trust.root: expected the pinned root, as trust.mode is required, found none; enrol this agent',
    );
  }
  if (paths.caFile !== null && !existsSync(paths.caFile)) {
    problems.push(`network.ca_file: expected a file of certificates at ${paths.caFile}, found none`);
  }
  const warnings: string[] = [];
  const account = await chooseAccount({ allowRoot: config.runs.allow_root, user: config.runs.user ?? null });
  if (account.kind === 'refused') warnings.push(account.reason);
  if (config.saas_url !== undefined) {
    const fault = await loadDeviceKey(paths.credentials).then(
      (key) =>
        key === null ? `expected ${paths.credentials}/device.jwk, found none; enrol this agent again` : null,
      (error: unknown) => (error as Error).message,
    );
    if (fault !== null) warnings.push(`no report can be sent: ${fault}`);
  }
  return { problems, warnings };
}
