import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { PrivateJwk } from '../../schemas/jws.ts';

const FORM = '1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What a sealed key belongs to: under another tenant's name, or another thumbprint, it does not open. */
export interface SealedFor {
  readonly tenant: string;
  readonly kid: string;
}

/**
 * A private key as the database keeps it: AES-256-GCM (NIST SP 800-38D) under a key of 32 bytes that is not in the database,
 * with a fresh nonce of 96 bits. Text: `1.<base64url of nonce, ciphertext and tag>`.
 */
export function sealKey(sealingKey: Uint8Array, belongsTo: SealedFor, key: PrivateJwk): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', sealingKey, nonce).setAAD(bindingOf(belongsTo));
  const hidden = Buffer.concat([cipher.update(JSON.stringify(key), 'utf8'), cipher.final()]);
  return `${FORM}.${Buffer.concat([nonce, hidden, cipher.getAuthTag()]).toString('base64url')}`;
}

/** Null when it was sealed under another key or for another tenant, or was altered: the three cannot be told apart. */
export function openSealedKey(
  sealingKey: Uint8Array,
  belongsTo: SealedFor,
  sealed: string,
): PrivateJwk | null {
  const [form, text] = sealed.split('.', 2);
  const bytes = Buffer.from(text ?? '', 'base64url');
  if (form !== FORM || bytes.length <= NONCE_BYTES + TAG_BYTES) return null;
  const [nonce, tag] = [bytes.subarray(0, NONCE_BYTES), bytes.subarray(-TAG_BYTES)];
  const cipher = createDecipheriv('aes-256-gcm', sealingKey, nonce, { authTagLength: TAG_BYTES })
    .setAAD(bindingOf(belongsTo))
    .setAuthTag(tag);
  try {
    const hidden = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
    const text = Buffer.concat([cipher.update(hidden), cipher.final()]).toString('utf8');
    return PrivateJwk.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function bindingOf({ tenant, kid }: SealedFor): Buffer {
  return Buffer.from(`edgeflows-console/trigger-key/v1\0${tenant}\0${kid}`, 'utf8');
}
