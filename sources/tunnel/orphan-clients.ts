import type { Clock } from '../../reconciler/ports.ts';

/** Processes of this machine, as far as finding orphans needs them (executors/process-table.ts). */
export interface MarkedProcesses {
  /** Living ones with this `NAME=value` in their environment; empty where the platform does not show environments. */
  (mark: string): Promise<readonly { readonly pid: number }[]>;
}

const LOOKS = 50;
const PAUSE_MS = 100;

/** The mark of every client that this state directory's agents start. */
export function clientMark(folder: string): { readonly name: string; readonly value: string } {
  return { name: 'EDGE_AGENT_TUNNEL', value: folder };
}

/**
 * Ends clients that an agent started before it was killed: they would hold the service's name at the server, and lead to a port that
 * is nobody's now. Their environment tells them, so that none is missed whenever the kill came. How many there were.
 */
export async function endOrphanClients(
  folder: string,
  marked: MarkedProcesses,
  clock: Clock,
  signal: AbortSignal,
): Promise<number> {
  const { name, value } = clientMark(folder);
  const ended = new Set<number>();
  for (let look = 0; look < LOOKS; look += 1) {
    const found = (await marked(`${name}=${value}`)).filter(({ pid }) => pid !== process.pid);
    if (found.length === 0) break;
    for (const { pid } of found) {
      ended.add(pid);
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended in between, or is another account's.
      }
    }
    await clock.sleep(PAUSE_MS, signal);
  }
  return ended.size;
}
