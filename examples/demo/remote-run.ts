import { randomUUID } from 'node:crypto';
import { readSigningKey } from '../../agent/key-files.ts';
import { signCommand } from '../../trust/ceremony/command.ts';
import type { SaasSide } from './saas-side.ts';
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
  const response = await fetch(`${saas.url}/api/agents/${agentId}/commands`, {
    method: 'POST',
    headers: { 'x-api-key': saas.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ jws }),
  });
  const answer: unknown = await response.json();
  if (response.status === 202) return { runId, answer };
  throw new Error(`expected 202, found ${response.status}: ${JSON.stringify(answer)}`);
}
