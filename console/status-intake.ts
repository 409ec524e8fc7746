import { Status } from '../schemas/status.ts';
import type { Notices } from './notices.ts';
import { RequestRefused } from './refusal.ts';
import { parseBody } from './request-body.ts';
import type { ConsoleState } from './state.ts';

interface Sender {
  readonly agent_id: string;
  readonly tenant: string;
}

/** Keeps the status document an agent has sent, by either way; it is on the disk when it resolves. Throws `RequestRefused` (422) when it is not one, or another's. */
export async function takeStatus(
  parts: { readonly state: ConsoleState; readonly notices: Notices },
  sender: Sender,
  body: unknown,
): Promise<void> {
  const { state, notices } = parts;
  const status = parseBody(Status, body);
  expectOwn(sender, status);
  const changed = await state.reports.setStatus(sender.agent_id, status, body, state.clock.now());
  notices.status.publish({ tenant: sender.tenant, agent_id: sender.agent_id, status, changed });
}

/** An agent speaks for itself only. What it wrote before it was enrolled has no agent_id. */
export function expectOwn(
  sender: Sender,
  said: { readonly agent_id: string | null; readonly tenant: string },
): void {
  if (said.tenant === sender.tenant && (said.agent_id === null || said.agent_id === sender.agent_id)) return;
  const found = `${said.agent_id ?? 'no agent'} of ${said.tenant}`;
  const message = `expected a report of ${sender.agent_id} of ${sender.tenant} about itself, found one of ${found}`;
  throw new RequestRefused(422, 'not_yours', message);
}
