import { CompactEncrypt, compactDecrypt, errors } from 'jose';
import type { PrivateJwk } from '../../schemas/jws.ts';
import { parseStrictJson } from '../strict-json.ts';

const ALG = 'PBES2-HS512+A256KW';
const ENC = 'A256GCM';
/** Rounds of PBKDF2-HMAC-SHA-512: three times what OWASP advises (2023), because keys of a root are opened a few times a year. */
const ROUNDS = 600_000;
/** What a file may ask for: half a minute of work for a slow machine, and not a day. */
const ROUNDS_MAX = 10_000_000;

/** Five parts between dots, as only an encrypted JWK looks. */
export function isSealedKey(text: string): boolean {
  return /^[\w-]+(?:\.[\w-]*){4}\s*$/.test(text);
}

/**
 * A private key under a passphrase: an encrypted JWK (RFC 7517, section 7) in compact serialisation, its key derived by PBES2
 * (RFC 7518, section 4.8). A line feed at the end.
 */
export async function sealKey(key: PrivateJwk, passphrase: string): Promise<string> {
  const sealed = await new CompactEncrypt(Buffer.from(JSON.stringify(key), 'utf8'))
    .setProtectedHeader({ alg: ALG, enc: ENC, cty: 'jwk+json' })
    .setKeyManagementParameters({ p2c: ROUNDS, p2s: crypto.getRandomValues(new Uint8Array(16)) })
    .encrypt(Buffer.from(passphrase.normalize('NFC'), 'utf8'));
  return `${sealed}\n`;
}

export type OpenedKey =
  | { readonly kind: 'opened'; readonly value: unknown }
  /** Another passphrase, or a file that was changed: the two cannot be told apart. */
  | { readonly kind: 'refused' };

/** What is under the seal: a parsed JSON value, not looked at yet. By these two algorithms alone, whatever the file says. */
export async function openKey(text: string, passphrase: string): Promise<OpenedKey> {
  try {
    const { plaintext } = await compactDecrypt(
      text.trim(),
      Buffer.from(passphrase.normalize('NFC'), 'utf8'),
      {
        keyManagementAlgorithms: [ALG],
        contentEncryptionAlgorithms: [ENC],
        maxPBES2Count: ROUNDS_MAX,
      },
    );
    const json = parseStrictJson(plaintext);
    return json.kind === 'parsed' ? { kind: 'opened', value: json.value } : { kind: 'refused' };
  } catch (error) {
    if (error instanceof errors.JOSEError) return { kind: 'refused' };
    throw error;
  }
}
