import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { builtCommand } from '../../scripts/built-command.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Global set-up of vitest: builds the command that tests start (agent-program.ts), unless it was built from these very sources
 * before, and tells the workers where it is.
 */
export default async function buildCommand(project: TestProject): Promise<void> {
  if (process.env['EDGE_AGENT_FROM_SOURCE'] === '1') return;
  const build = async () => {
    process.env['EDGE_AGENT_BUILT_COMMAND'] = join(await builtCommand(ROOT), 'cli/main.js');
  };
  await build();
  project.onTestsRerun(build);
}
