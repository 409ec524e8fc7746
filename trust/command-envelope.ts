import type { CommandRefused } from '../reconciler/ports.ts';
import { isStrictBase64url, type PublicJwk, SignatureHeader } from '../schemas/jws.ts';
import { Id } from '../schemas/names.ts';
import type { CommandRefusalCode } from '../schemas/reasons.ts';
import { printable } from '../system/printable.ts';
import { ed25519Holds } from './ed25519.ts';
import { parseStrictJson } from './strict-json.ts';

/** A compact JWS of a command at most, in bytes of its text. */
export const COMMAND_MAX_BYTES = 64 * 1024;
const COMMAND_TYP = 'edgeflows-command+jws';
const SIGNATURE_BYTES = 64;
const SHOWN_CHARACTERS = 120;
const MESSAGE_MAX_CHARACTERS = 2_000;

/** A well-formed envelope. Nothing in `payload` is believed, or has been looked at, yet. */
export interface CommandEnvelope {
  readonly kind: 'read';
  readonly kid: string;
  readonly signingInput: string;
  readonly signature: Uint8Array;
  readonly payload: Uint8Array;
}

export function refuseCommand(
  code: CommandRefusalCode,
  message: string,
  commandId: string | null = null,
): CommandRefused {
  return { kind: 'refused', code, message: printable(message, MESSAGE_MAX_CHARACTERS), commandId };
}

/**
 * Reads a compact JWS (RFC 7515, section 7.1) before any key is looked for: at most 64 KiB, three parts of strict base64url, and
 * a protected header of exactly `alg` Ed25519, `kid` and the `typ` of a command. Nothing else may be in the header, so `jku`,
 * `x5u`, `jwk`, `crit` and what is yet to be invented are refused before they could mean anything (RFC 8725, section 3).
 */
export function readCommandEnvelope(jws: string): CommandEnvelope | CommandRefused {
  if (jws.length > COMMAND_MAX_BYTES) {
    const message = `expected a command of at most ${COMMAND_MAX_BYTES} bytes, found ${jws.length}`;
    return refuseCommand('command_too_large', message);
  }
  const parts = jws.split('.');
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    const message = `expected a compact JWS of three parts between dots, found ${parts.length}`;
    return refuseCommand('command_malformed', message);
  }
  for (const [name, part] of Object.entries({ header, payload, signature })) {
    if (isStrictBase64url(part)) continue;
    const message = `expected base64url without padding or spaces in the ${name} of the command`;
    return refuseCommand('base64url_malformed', message);
  }
  const read = readHeader(header);
  if (read.kind === 'refused') return read;
  const signed = Buffer.from(signature, 'base64url');
  if (signed.length !== SIGNATURE_BYTES) {
    const message = `expected a signature of ${SIGNATURE_BYTES} bytes, found ${signed.length}`;
    return refuseCommand('signature_invalid', message);
  }
  const signingInput = `${header}.${payload}`;
  const bytes = Buffer.from(payload, 'base64url');
  return { kind: 'read', kid: read.kid, signingInput, signature: signed, payload: bytes };
}

function readHeader(encoded: string): { kind: 'header'; kid: string } | CommandRefused {
  const json = parseStrictJson(Buffer.from(encoded, 'base64url'));
  if (json.kind === 'malformed') {
    return refuseCommand('header_malformed', `protected header of the command: ${json.message}`);
  }
  const claimed = json.value;
  if (typeof claimed !== 'object' || claimed === null || Array.isArray(claimed)) {
    return refuseCommand('header_malformed', 'protected header of the command: expected a JSON object');
  }
  const { alg, typ } = claimed as { alg?: unknown; typ?: unknown };
  if (alg !== 'Ed25519') {
    return refuseCommand('alg_not_allowed', `expected a command with alg Ed25519, found ${shown(alg)}`);
  }
  if (typ !== COMMAND_TYP) {
    return refuseCommand('typ_mismatch', `expected typ ${COMMAND_TYP}, found ${shown(typ)}`);
  }
  const header = SignatureHeader.safeParse(claimed);
  if (header.success) return { kind: 'header', kid: header.data.kid };
  // Quoted: whoever wrote it may mean to be read by a terminal.
  const names = shown(Object.keys(claimed));
  const message = `protected header of the command: expected exactly alg, kid (a thumbprint) and typ, found ${names}`;
  return refuseCommand('header_malformed', message);
}

function shown(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value).slice(0, SHOWN_CHARACTERS);
}

/** Ed25519 (RFC 8032) by this key alone. */
export function commandSignatureHolds(envelope: CommandEnvelope, key: PublicJwk): boolean {
  return ed25519Holds(envelope.signingInput, envelope.signature, key);
}

/** `command_id` as a payload that nobody vouches for claims it: for the event and the log alone. */
export function claimedCommandId(payload: Uint8Array): string | null {
  const json = parseStrictJson(payload);
  if (json.kind === 'malformed' || typeof json.value !== 'object' || json.value === null) return null;
  const claimed = Id.safeParse((json.value as { command_id?: unknown }).command_id);
  return claimed.success ? claimed.data : null;
}
