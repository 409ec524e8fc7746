import { writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { urlFault } from '../schemas/urls.ts';
import { readCommandEnvelope } from '../trust/command-envelope.ts';
import { RequestRefused } from './refusal.ts';
import type { ConsoleState } from './state.ts';
import { TenantFault } from './tenants.ts';
import { triggerKeyFault } from './trigger-authority.ts';

const DEADLINE_MS = 30_000;
const ANSWER_MAX_BYTES = 1024 * 1024;
const COMMANDS_WAITING = 10_000;

const AgentAnswer = z.looseObject({ tenant: z.string() });
const CommandAnswer = z.looseObject({ command_id: z.string(), state: z.string() });

export interface Posted {
  readonly command_id: string;
  readonly state: string;
}

/** Where a signed command is handed in: the data directory of a console, or a console's address. */
export interface CommandPost {
  tenantOf(agentId: string): Promise<string>;
  post(agentId: string, jws: string): Promise<Posted>;
}

/** Into a file, for whoever carries it to the agent by a way of their own. Replaces no file. */
export function postToFile(tenant: string, file: string): CommandPost {
  return {
    tenantOf: async () => tenant,
    async post(_agentId, jws) {
      await writeFile(file, jws, { mode: 0o600, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
        throw new TenantFault(
          `--out: expected no file ${file}, found one; remove it, or choose another name`,
        );
      });
      const payload: unknown = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'));
      const { command_id } = z.looseObject({ command_id: z.string() }).parse(payload);
      return { command_id, state: `signed, in ${file}` };
    },
  };
}

/** A console that is running on the directory sends it within a second. */
export function postToDirectory(state: ConsoleState): CommandPost {
  const known = async (agentId: string) => {
    const agent = await state.agents.get(agentId);
    if (agent !== null) return agent;
    throw new TenantFault(`expected the id of an agent, found no ${agentId}; the verb agents lists them`);
  };
  return {
    tenantOf: async (agentId) => (await known(agentId)).tenant,
    async post(agentId, jws) {
      const envelope = readCommandEnvelope(jws);
      if (envelope.kind === 'read') {
        const fault = await triggerKeyFault(state, (await known(agentId)).tenant, envelope.kid);
        if (fault !== null) throw new RequestRefused(422, 'key_not_allowed', fault);
      }
      const agent = await known(agentId);
      const { row } = await state.commands.add(agent, jws, state.clock.now(), COMMANDS_WAITING);
      return { command_id: row.command_id, state: row.state };
    },
  };
}

export function postToConsole(origin: string, apiKey: string): CommandPost {
  const fault = urlFault(origin);
  if (fault !== null) throw new TenantFault(`--url: ${fault}`);
  const call = async <T extends z.ZodType>(path: string, schema: T, jws?: string): Promise<z.infer<T>> => {
    const response = await fetch(new URL(path, origin), {
      method: jws === undefined ? 'GET' : 'POST',
      headers: { 'x-api-key': apiKey, ...(jws === undefined ? {} : { 'content-type': 'application/jose' }) },
      ...(jws === undefined ? {} : { body: jws }),
      redirect: 'error',
      signal: AbortSignal.timeout(DEADLINE_MS),
    }).catch((cause: unknown) => {
      throw new Error(`expected an answer of ${origin}, found none: ${(cause as Error).message}`, { cause });
    });
    const text = await readText(response);
    if (!response.ok)
      throw new TenantFault(`the console refused (${response.status}): ${text.slice(0, 1_000)}`);
    return schema.parse(JSON.parse(text));
  };
  const at = (agentId: string) => `/api/agents/${encodeURIComponent(agentId)}`;
  return {
    tenantOf: async (agentId) => (await call(at(agentId), AgentAnswer)).tenant,
    async post(agentId, jws) {
      const { command_id, state } = await call(`${at(agentId)}/commands`, CommandAnswer, jws);
      return { command_id, state };
    },
  };
}

async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    if (bytes > ANSWER_MAX_BYTES) throw new Error(`expected an answer of at most ${ANSWER_MAX_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
