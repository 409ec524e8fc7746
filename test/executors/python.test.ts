import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ownCgroup } from '../../executors/cgroup.ts';
import { listProcesses } from '../../executors/process-table.ts';
import { createPythonExecutor } from '../../executors/python.ts';
import { createBench, executorContract } from '../contract/executor.ts';

const subject = {
  create: createPythonExecutor,
  async install(bundle: string, source: string) {
    await writeFile(join(bundle, 'main.py'), source);
    return 'main.py';
  },
};

executorContract('the python executor', subject);
executorContract('the python executor without a cgroup', subject, { cgroup: () => null });

it.each([
  ['in a cgroup', ownCgroup],
  ['without one', () => null],
])('leaves no process behind when its output cannot be kept, %s', async (_where, cgroup) => {
  const capture = () => Promise.reject(new Error('ENOSPC: no space left on device'));
  const bench = await createBench(
    { ...subject, create: (deps) => createPythonExecutor({ ...deps, capture }) },
    { cgroup },
  );
  try {
    const runId = randomUUID();
    const handle = await bench.begin('import time; time.sleep(60)', { runId });
    expect(handle.process).toBeNull();
    expect(await handle.done).toMatchObject({
      status: 'failed',
      reason: 'its output could not be kept: ENOSPC: no space left on device',
    });
    const marked = (await listProcesses(`EDGE_RUN_ID=${runId}`)).filter(
      ({ marked, zombie }) => marked && !zombie,
    );
    expect(marked).toEqual([]);
  } finally {
    await bench.dispose();
  }
});
