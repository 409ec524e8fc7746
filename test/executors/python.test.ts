import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createPythonExecutor } from '../../executors/python.ts';
import { executorContract } from '../contract/executor.ts';

const subject = {
  create: createPythonExecutor,
  async install(bundle: string, source: string) {
    await writeFile(join(bundle, 'main.py'), source);
    return 'main.py';
  },
};

executorContract('the python executor', subject);
executorContract('the python executor without a cgroup', subject, { cgroup: () => null });
