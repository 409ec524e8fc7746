import { createPrivateKey, sign } from 'node:crypto';
import type { PrivateJwk } from '../../schemas/jws.ts';
import type { CommandPayload } from '../../trust/ceremony/command.ts';
import { serialiseDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { newRoot } from '../../trust/ceremony/root-draft.ts';
import { thumbprint } from '../../trust/thumbprint.ts';
import { FAR, NOW, signRoot } from './signed-files.ts';

export const AGENT = '0199a1b2-agent';

/** A root whose trigger role has its own key, and the text that agent.yaml pins. */
export async function rootWithTrigger(
  options: { trigger?: readonly PrivateJwk[]; threshold?: number; expires?: string } = {},
) {
  const [root, release, trigger] = [newKey(), newKey(), newKey()];
  const triggers = options.trigger ?? [trigger];
  const draft = newRoot({
    expires: options.expires ?? FAR,
    keys: { root: [root], release: [release], trigger: triggers },
    thresholds: { trigger: options.threshold ?? 1 },
  });
  const document = await signRoot(draft, [root]);
  return { root, release, trigger, document, text: serialiseDocument(document) };
}

/** A command to run, good at NOW; `changes` take its members' places, undefined removes one. */
export function runCommand(changes: Record<string, unknown> = {}): CommandPayload {
  const payload = {
    command_id: 'c-1',
    action: 'run',
    tenant: 'acme',
    agent_id: AGENT,
    issued: new Date(NOW.getTime() - 1_000).toISOString(),
    expires: new Date(NOW.getTime() + 60_000).toISOString(),
    run_id: 'r-1',
    flow: 'invoice-bot',
    inputs: { customer: 42 },
    ...changes,
  };
  return payload as CommandPayload;
}

export function encode(part: unknown): string {
  const bytes = part instanceof Uint8Array ? part : Buffer.from(JSON.stringify(part), 'utf8');
  return Buffer.from(bytes).toString('base64url');
}

export function goodHeader(key: PrivateJwk): Record<string, unknown> {
  return { alg: 'Ed25519', kid: thumbprint(key), typ: 'edgeflows-command+jws' };
}

/** A compact JWS of anything, with a signature that holds: what a hostile signer could send. */
export function signRaw(header: unknown, payload: unknown, key: PrivateJwk): string {
  const input = `${encode(header)}.${encode(payload)}`;
  const { kty, crv, x, d } = key;
  const privateKey = createPrivateKey({ key: { kty, crv, x, d }, format: 'jwk' });
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
}
