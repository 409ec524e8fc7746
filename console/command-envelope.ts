import { z } from 'zod';
import { Command } from '../schemas/command.ts';
import { isStrictBase64url, SignatureHeader } from '../schemas/jws.ts';
import { parseStrictJson } from '../trust/strict-json.ts';
import type { Agent } from './agents.ts';
import { RequestRefused } from './refusal.ts';

/** Leaves room in a tunnel frame of 1 MiB. */
export const COMMAND_MAX_BYTES = 512 * 1024;
const LIFETIME_MAX_MS = 24 * 60 * 60_000;

/**
 * What a compact JWS says it asks for. The signature is not looked at: only the agent knows the root in force, and it alone
 * decides (contract, section 8). What no agent would take is refused here, so that whoever posts it hears of it at once.
 */
export function readCommand(jws: string, agent: Agent, now: Date): Command {
  const parts = jws.split('.');
  const [header, payload] = parts;
  if (
    parts.length !== 3 ||
    header === undefined ||
    payload === undefined ||
    !parts.every(isStrictBase64url)
  ) {
    throw wrong('command_malformed', 'expected a compact JWS (three parts of base64url with dots between)');
  }
  const protectedHeader = SignatureHeader.safeParse(decoded(header, 'header'));
  if (!protectedHeader.success || protectedHeader.data.typ !== 'edgeflows-command+jws') {
    throw wrong(
      'command_malformed',
      'expected a protected header of exactly alg Ed25519, kid and typ edgeflows-command+jws',
    );
  }
  const parsed = Command.safeParse(decoded(payload, 'payload'));
  if (!parsed.success) {
    throw wrong('command_malformed', `payload: ${z.prettifyError(parsed.error).slice(0, 1_000)}`);
  }
  const command = parsed.data;
  if (command.agent_id !== agent.agent_id || command.tenant !== agent.tenant) {
    const found = `${command.agent_id} of ${command.tenant}`;
    throw wrong(
      'command_not_for_agent',
      `expected a command for ${agent.agent_id} of ${agent.tenant}, found one for ${found}`,
    );
  }
  const expires = Date.parse(command.expires);
  const lifetime = expires - Date.parse(command.issued);
  if (!(lifetime > 0 && lifetime <= LIFETIME_MAX_MS)) {
    const message = `expected expires after issued (${command.issued}) and at most 24 h later, found ${command.expires}`;
    throw wrong('command_lifetime', message);
  }
  if (expires <= now.getTime()) {
    throw wrong(
      'command_expired',
      `expected a command that has not expired, found expires ${command.expires}; sign a new one`,
    );
  }
  return command;
}

function decoded(part: string, name: string): unknown {
  const json = parseStrictJson(Buffer.from(part, 'base64url'));
  if (json.kind === 'malformed') throw wrong('command_malformed', `${name}: ${json.message}`);
  return json.value;
}

function wrong(code: string, message: string): RequestRefused {
  return new RequestRefused(422, code, message);
}
