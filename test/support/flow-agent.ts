// An agent that runs one flow beside another and says how it went, to be started as any account.
//
//   node test/support/flow-agent.ts <FlowAgentOrder as JSON>
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownCgroup } from '../../executors/cgroup.ts';
import { listProcesses } from '../../executors/process-table.ts';
import { createPythonExecutor } from '../../executors/python.ts';
import type { RunLimits } from '../../executors/run-limits.ts';
import type { RunRequest, RunSettings } from '../../reconciler/ports.ts';
import { createSystemClock } from '../../system/clock.ts';
import { closeInheritedDescriptors } from '../../system/inherited-descriptors.ts';
import { sandboxIn } from './sandboxed-flows.ts';

export interface FlowAgentOrder {
  /** `edge_cache_dir`, with `.agent`, `bundle` and `credentials` in it. */
  readonly folder: string;
  readonly sandbox: boolean;
  readonly cgroup: boolean;
  readonly settings: RunSettings;
  readonly request: RunRequest;
  /** A flow that goes on meanwhile, with a secret in its environment. */
  readonly neighbour: RunRequest | null;
  readonly limits: RunLimits | null;
}

export interface FlowAgentAnswer {
  readonly status: string;
  readonly reason: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

closeInheritedDescriptors();
const order = JSON.parse(process.argv[2] as string) as FlowAgentOrder;
const executor = createPythonExecutor({
  clock: createSystemClock(),
  environment: process.env,
  cgroup: order.cgroup ? ownCgroup : () => null,
  ...(order.sandbox ? { sandbox: sandboxIn(order.folder) } : {}),
  ...(order.limits === null ? {} : { limits: order.limits }),
});
const { neighbour } = order;
const beside = neighbour === null ? null : await executor.start(neighbour, order.settings);
let others: number[] = [];
if (neighbour !== null) {
  const log = join(neighbour.runDirectory, 'stdout.log');
  while (readFileSync(log, 'utf8') === '') await new Promise((resolve) => setTimeout(resolve, 20));
  others = (await listProcesses(`EDGE_RUN_ID=${neighbour.runId}`))
    .filter((each) => each.marked)
    .map((each) => each.pid);
}
const { spec } = order.request;
const env = { ...spec.env, AGENT_PID: String(process.pid), OTHER_PIDS: others.join(' ') };
const handle = await executor.start({ ...order.request, spec: { ...spec, env } }, order.settings);
const result = await handle.done;
beside?.cancel();
await beside?.done;
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
const answer: FlowAgentAnswer = {
  status: result.status,
  reason: result.reason,
  stdout: text(result.stdout),
  stderr: text(result.stderr),
};
process.stdout.write(JSON.stringify(answer));
