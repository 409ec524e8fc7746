import { randomUUID } from 'node:crypto';
import { readSigningKey } from '../../agent/key-files.ts';
import { signCommand } from '../../trust/ceremony/command.ts';
import { expectStatus, type SaasSide } from './saas-side.ts';
import { ORDERS, TENANT } from './stage.ts';

const FIVE_MINUTES_MS = 5 * 60_000;

/** Signs a run of daily-report and gives it to the console, which brings it to the agent; the console's answer. */
export async function sendRun(
  saas: SaasSide,
  agentId: string,
  triggerKey: string,
): Promise<{ runId: string; answer: unknown }> {
  const { key } = await readSigningKey(triggerKey);
  const now = Date.now();
  const runId = randomUUID();
  const jws = await signCommand(
    {
      command_id: randomUUID(),
      action: 'run',
      tenant: TENANT,
      agent_id: agentId,
      issued: new Date(now).toISOString(),
      expires: new Date(now + FIVE_MINUTES_MS).toISOString(),
      run_id: runId,
      flow: 'daily-report',
      inputs: JSON.parse(ORDERS),
    },
    key,
  );
  const sent = await saas.call('POST', `/api/agents/${agentId}/commands`, { jws });
  expectStatus(202, sent);
  return { runId, answer: sent.answer };
}
