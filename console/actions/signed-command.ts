import type { PrivateJwk } from '../../schemas/jws.ts';
import { type CommandPayload, signCommand } from '../../trust/ceremony/command.ts';

/** What a command says beside who it is for and when. */
export type CommandDraft =
  | { action: 'run'; run_id: string; flow: string; version?: string; inputs?: unknown; timeout?: string }
  | { action: 'cancel'; run_id: string }
  | { action: 'suspend'; by: string; why: string; until?: string }
  | { action: 'resume'; by: string }
  | { action: 'rollback'; flow: string; by: string; why: string };

/** The draft as a compact JWS for one agent, good from `issued` for `lifetimeMs` (24 h at most). Throws `CeremonyError`. */
export async function signDraft(
  draft: CommandDraft,
  envelope: {
    readonly commandId: string;
    readonly tenant: string;
    readonly agentId: string;
    readonly issued: Date;
    readonly lifetimeMs: number;
  },
  key: PrivateJwk,
): Promise<string> {
  const { commandId, tenant, agentId, issued, lifetimeMs } = envelope;
  const payload = {
    ...draft,
    command_id: commandId,
    tenant,
    agent_id: agentId,
    issued: issued.toISOString(),
    expires: new Date(issued.getTime() + lifetimeMs).toISOString(),
  };
  return signCommand(payload as CommandPayload, key);
}
