import { z } from 'zod';

/** A signed document at most (contract, section 5). */
export const SIGNED_DOCUMENT_MAX_BYTES = 512 * 1024;
export const SIGNED_DOCUMENT_MAX_SIGNATURES = 32;

/** Base64url of RFC 4648 section 5 without padding, in its one canonical form: unused bits of the last digit are zero. */
export function isStrictBase64url(text: string): boolean {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return false;
  const rest = text.length % 4;
  if (rest === 1) return false;
  if (rest === 2) return /[AQgw]$/.test(text);
  if (rest === 3) return /[AEIMQUYcgkosw048]$/.test(text);
  return true;
}

const Base64url = z.string().refine(isStrictBase64url, 'expected base64url without padding or spaces');

/** General JSON serialisation of RFC 7515 section 7.2.1, payload attached. Nothing inside is believed yet. */
export const GeneralJws = z.strictObject({
  payload: Base64url,
  signatures: z
    .array(z.strictObject({ protected: Base64url, signature: Base64url }))
    .min(1)
    .max(SIGNED_DOCUMENT_MAX_SIGNATURES),
});
export type GeneralJws = z.infer<typeof GeneralJws>;

/** The protected header, exactly these three members. */
export const SignatureHeader = z.strictObject({
  alg: z.literal('Ed25519'),
  kid: Base64url.length(43),
  typ: z.enum(['edgeflows-release+jws', 'edgeflows-root+jws', 'edgeflows-command+jws']),
});
export type SignatureHeader = z.infer<typeof SignatureHeader>;

/** A public Ed25519 key (RFC 8037). Other members (`key_ops`, `ext`, …) are ignored, as RFC 7517 section 4 asks. */
export const PublicJwk = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: Base64url.length(43),
  kid: z.string().optional(),
  alg: z.string().optional(),
  use: z.string().optional(),
});
export type PublicJwk = z.infer<typeof PublicJwk>;

/** A public key as a device sends it of itself: one that came with its private half is nobody's any more. */
export const DeviceJwk = PublicJwk.extend({
  d: z
    .never('expected the public half alone, found a private key; make a new key, this one has been sent')
    .optional(),
});

export const PrivateJwk = PublicJwk.extend({ d: Base64url.length(43) });
export type PrivateJwk = z.infer<typeof PrivateJwk>;
