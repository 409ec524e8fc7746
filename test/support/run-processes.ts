import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Command lines of living processes of a run, agents aside: by an argument that names its folder, or by `EDGE_RUN_ID` in their
 * environment. Linux only.
 */
export async function processesOf(runId: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const read = (name: string) => readFile(join('/proc', pid, name), 'utf8').catch(() => '');
    const [command, environment, status] = await Promise.all([
      read('cmdline'),
      read('environ'),
      read('stat'),
    ]);
    // Node itself is the test, or an agent whose arguments hold the request.
    if (/\) Z /.test(status) || Number(pid) === process.pid || command.includes('flow-starter')) continue;
    if (command.includes(`/runs/${runId}/`) || environment.includes(`EDGE_RUN_ID=${runId}`))
      found.push(command.replaceAll('\0', ' '));
  }
  return found;
}
