import { z } from 'zod';
import type { AgentRecords } from '../reconciler/records.ts';
import { FlowId } from '../schemas/names.ts';

/** What the status document has no room for: the sentences of what is in the way, for people. */
export const Obstacles = z.object({
  /** Of each flow whose last attempt failed, without `flow <id>: ` before it. */
  flows: z.array(z.object({ flow: FlowId, message: z.string() })),
  /** Why the tunnel is not connected; null while it is, or nothing is known. */
  tunnel: z.string().nullable(),
});
export type Obstacles = z.infer<typeof Obstacles>;

export function obstaclesOf(records: Pick<AgentRecords, 'flows'>, tunnel: string | null): Obstacles {
  const flows = [...records.flows()].flatMap(([flow, { setback }]) => {
    if (setback === null) return [];
    const prefix = `flow ${flow}: `;
    const { message } = setback;
    return [{ flow, message: message.startsWith(prefix) ? message.slice(prefix.length) : message }];
  });
  return { flows: flows.toSorted((a, b) => (a.flow < b.flow ? -1 : 1)), tunnel };
}
