import { Command } from '../schemas/command.ts';
import type { CommandRefusalCode } from '../schemas/reasons.ts';
import { readCommandEnvelope } from '../trust/command-envelope.ts';
import { firstFault } from '../trust/refusal.ts';
import { parseStrictJson } from '../trust/strict-json.ts';
import { RequestRefused } from './refusal.ts';
import type { Agent } from './store/ports/agents.ts';

const LIFETIME_MAX_MS = 24 * 60 * 60_000;

/**
 * What a compact JWS says it asks for. The signature is not looked at: only the agent knows the root in force, and it alone
 * decides (contract, section 8). What no agent would take is refused here with the agent's own codes, so that whoever posts
 * it hears of it at once.
 */
export function readCommandClaims(
  jws: string,
  agent: Pick<Agent, 'agent_id' | 'tenant'>,
  now: Date,
): Command {
  const envelope = readCommandEnvelope(jws);
  if (envelope.kind === 'refused') throw wrong(envelope.code, envelope.message);
  const json = parseStrictJson(envelope.payload);
  if (json.kind === 'malformed') throw wrong('payload_malformed', `payload: ${json.message}`);
  const parsed = Command.safeParse(json.value);
  if (!parsed.success) throw wrong('payload_malformed', `payload: ${firstFault(parsed.error)}`);
  const command = parsed.data;
  if (command.tenant !== agent.tenant) {
    throw wrong('tenant_mismatch', `expected a command for ${agent.tenant}, found one for ${command.tenant}`);
  }
  if (command.agent_id !== agent.agent_id) {
    throw wrong(
      'agent_mismatch',
      `expected a command for ${agent.agent_id}, found one for ${command.agent_id}`,
    );
  }
  const expires = Date.parse(command.expires);
  const lifetime = expires - Date.parse(command.issued);
  if (!(lifetime > 0 && lifetime <= LIFETIME_MAX_MS)) {
    const message = `expected expires after issued (${command.issued}) and at most 24 h later, found ${command.expires}`;
    throw wrong('lifetime_too_long', message);
  }
  if (expires <= now.getTime()) {
    throw wrong(
      'command_expired',
      `expected a command that has not expired, found expires ${command.expires}; sign a new one`,
    );
  }
  return command;
}

function wrong(code: CommandRefusalCode, message: string): RequestRefused {
  return new RequestRefused(code === 'command_too_large' ? 413 : 422, code, message);
}
