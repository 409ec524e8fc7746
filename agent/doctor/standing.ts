import { requestWithToken } from '../../system/token-request.ts';
import { errorIn } from '../console-answer.ts';
import type { Callers } from './callers.ts';
import type { Patient } from './patient.ts';

const DEADLINE_MS = 10_000;
const MAX_BYTES = 16 * 1_048_576;
export const ENROL_ANEW = 'enrol this machine again with a new token: edge-agent enroll';

/** By these words the console lets this agent in no more. A bare 401 may be of a console that asks for another token here. */
const OVER: ReadonlySet<unknown> = new Set([
  'agent_revoked',
  'key_retired',
  'key_unknown',
  'signature_invalid',
]);

/** `let_in`: it believed the agent's word; `over`: it does so no more, with why; `unsure`: it said neither. */
export type Standing =
  | { readonly kind: 'let_in' | 'unsure' }
  | { readonly kind: 'over'; readonly code: string; readonly message: string };

/**
 * `GET /raw/tenant/<slug>/manifest.json` at the console with the agent's own token: whoever asks for a branch may be anybody, and
 * nothing changes by reading. Rejects like the client.
 */
export async function askStanding(
  { loaded: { config } }: Patient,
  callers: Callers,
  signal: AbortSignal,
): Promise<Standing> {
  const { saas_url: saasUrl, tenant } = config;
  if (saasUrl === undefined) return { kind: 'unsure' };
  const url = new URL(`${saasUrl.replace(/\/+$/, '')}/raw/tenant/${tenant}/manifest.json`);
  let asked = false;
  const authorize = async () => {
    const authorization = await callers.authorize('GET', url);
    asked = authorization !== null;
    return authorization;
  };
  const request = { method: 'GET', url, signal, deadlineMs: DEADLINE_MS, maxBytes: MAX_BYTES } as const;
  const response = await requestWithToken(callers.client('console'), request, authorize);
  const { status } = response;
  if (status !== 401 && status !== 403) {
    response.discard();
    return { kind: asked && (status === 200 || status === 304) ? 'let_in' : 'unsure' };
  }
  const said = errorIn(await response.text());
  if (said?.code == null || !OVER.has(said.code)) return { kind: 'unsure' };
  return { kind: 'over', code: said.code, message: said.message ?? `it answers ${status}` };
}

/** What a daemon or agent.yaml knows already; null: nothing against it. */
export function knownEnd({ status, loaded: { config } }: Patient): string | null {
  const identity = status?.identity;
  if (identity?.state === 'revoked' || identity?.state === 'key_retired') return identity.message;
  if (config.saas_url !== undefined && config.agent_id === undefined)
    return 'this machine is no agent of its console';
  return null;
}
