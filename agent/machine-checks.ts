import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { chooseAccount } from '../executors/account.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import { loadDeviceKey } from '../trust/device-keys.ts';
import { walkRoots } from '../trust/root-walk.ts';
import { OperationError } from './operation-error.ts';
import type { AgentPaths } from './paths.ts';
import { createReleaseCheck } from './release-check.ts';
import { tufRootFault } from './tuf-root.ts';

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
  if (problems.length === 0) problems.push(...(await pinnedRootProblems(config, paths)));
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

/** The pinned root has to be there, of the kind that `trust.mode` asks for, and signed by its own keys. */
async function pinnedRootProblems({ trust: { mode } }: AgentConfig, paths: AgentPaths): Promise<string[]> {
  if (mode === 'off' || (mode === 'optional' && paths.root === null)) return [];
  if (paths.root === null) {
    const advice = mode === 'tuf' ? 'name the root.json of the TUF repository' : 'enrol this agent';
    return [`trust.root: expected the pinned root, as trust.mode is ${mode}, found none; ${advice}`];
  }
  const text = await readFile(paths.root, 'utf8');
  const fault = mode === 'tuf' ? await tufRootFault(text) : await rootFault(text);
  return fault === null ? [] : [`trust.root: ${paths.root}: ${fault}`];
}

async function rootFault(text: string): Promise<string | null> {
  const walk = await walkRoots(text, [], new Map());
  return walk.kind === 'refused' ? walk.message : null;
}
