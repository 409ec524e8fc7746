import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe } from 'vitest';
import { createPythonExecutor } from '../../executors/python.ts';
import { executorContract } from '../contract/executor.ts';
import { SANDBOX_SETTINGS, sandboxIn, sandboxMissing } from '../support/sandboxed-flows.ts';

const subject = {
  create: createPythonExecutor,
  async install(bundle: string, source: string) {
    await writeFile(join(bundle, 'main.py'), source);
    return 'main.py';
  },
};
const missing = await sandboxMissing();

describe.skipIf(missing !== null)('in a sandbox', () => {
  executorContract(
    'the python executor',
    subject,
    (folder) => ({ sandbox: sandboxIn(folder) }),
    SANDBOX_SETTINGS,
  );
});
