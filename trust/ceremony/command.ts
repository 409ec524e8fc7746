import { CompactSign, importJWK } from 'jose';
import type { z } from 'zod';
import { Command } from '../../schemas/command.ts';
import type { PrivateJwk } from '../../schemas/jws.ts';
import { COMMAND_MAX_BYTES } from '../command-envelope.ts';
import { firstFault } from '../refusal.ts';
import { thumbprint } from '../thumbprint.ts';
import { CeremonyError } from './draft.ts';

/** A command as it is written: `timeout` is text ("5m"), `inputs` any JSON. */
export type CommandPayload = z.input<typeof Command>;

const LIFETIME_MAX_MS = 24 * 60 * 60 * 1_000;

/**
 * A command as a compact JWS (contract, section 8), signed by one key of the `trigger` role. Times are RFC 3339. Throws
 * `CeremonyError` for a payload that no agent would take for its form or size, or that lives longer than 24 h.
 */
export async function signCommand(payload: CommandPayload, key: PrivateJwk): Promise<string> {
  const parsed = Command.safeParse(payload);
  if (!parsed.success) throw new CeremonyError(`command: ${firstFault(parsed.error)}`);
  const lifetime = Date.parse(payload.expires) - Date.parse(payload.issued);
  if (!(lifetime > 0 && lifetime <= LIFETIME_MAX_MS)) {
    throw new CeremonyError(
      `command: expected expires after issued (${payload.issued}) and at most 24 h later, found ${payload.expires}`,
    );
  }
  const privateKey = await importJWK({ kty: key.kty, crv: key.crv, x: key.x, d: key.d }, 'Ed25519');
  const jws = await new CompactSign(Buffer.from(JSON.stringify(payload), 'utf8'))
    .setProtectedHeader({ alg: 'Ed25519', kid: thumbprint(key), typ: 'edgeflows-command+jws' })
    .sign(privateKey);
  if (jws.length > COMMAND_MAX_BYTES) {
    throw new CeremonyError(
      `command: expected at most ${COMMAND_MAX_BYTES} bytes once it is signed, found ${jws.length}; send less in inputs`,
    );
  }
  return jws;
}
