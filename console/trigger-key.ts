import { PrivateJwk } from '../schemas/jws.ts';
import { readSmallFile } from '../system/small-file.ts';
import { halvesMatch } from '../trust/device-key.ts';
import { parseStrictJson } from '../trust/strict-json.ts';
import { TenantFault } from './tenants.ts';

const KEY_MAX_BYTES = 4_096;

/** The private key in a file that "edge-agent keys new" has made. It signs here and goes nowhere. Says nothing of what is in the file. */
export async function readTriggerKey(path: string): Promise<PrivateJwk> {
  const file = await readSmallFile(path, KEY_MAX_BYTES).catch((error: unknown) => {
    throw new TenantFault(`${path}: expected a file to read: ${(error as Error).message}`);
  });
  if (file.kind !== 'read')
    throw new TenantFault(`${path}: expected a key, found ${file.kind.replace('_', ' ')}`);
  const json = parseStrictJson(file.bytes);
  const key = json.kind === 'parsed' ? PrivateJwk.safeParse(json.value) : null;
  if (key?.success === true && halvesMatch(key.data)) return key.data;
  throw new TenantFault(
    `${path}: expected a private Ed25519 key as JWK (kty OKP, crv Ed25519, x, d); "edge-agent keys new --out <file>" makes one`,
  );
}
