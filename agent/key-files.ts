import { access } from 'node:fs/promises';
import { PrivateJwk, PublicJwk } from '../schemas/jws.ts';
import { writeFileAtomically } from '../system/atomic-file.ts';
import { readSmallFile, type SmallFile } from '../system/small-file.ts';
import { newKey } from '../trust/ceremony/new-key.ts';
import { isSealedKey, openKey, sealKey } from '../trust/ceremony/sealed-key.ts';
import { halvesMatch } from '../trust/device-key.ts';
import { parseStrictJson } from '../trust/strict-json.ts';
import { publicPart } from '../trust/thumbprint.ts';
import { OperationError } from './operation-error.ts';

const KEY_MAX_BYTES = 4_096;

export type KnownKey = PublicJwk & { readonly kid: string };

/** Asks whoever is there for the passphrase of a file. */
export type AskPassphrase = (file: string) => Promise<string>;

export interface MadeKey {
  readonly key: KnownKey;
  /** The file with the public half, to hand to others. */
  readonly publicFile: string;
}

/**
 * A new private Ed25519 key (RFC 8037) in a file of mode 0600, sealed when there is a passphrase, and its public half beside it
 * in `<name>.pub.jwk`. Keys that are there stay unless `force`, which is said before a passphrase is asked for.
 */
export async function makeKeyFile(
  path: string,
  options: { force: boolean; passphrase?: () => Promise<string> },
): Promise<MadeKey> {
  const publicFile = `${path.replace(/\.jwk$/, '')}.pub.jwk`;
  if (!options.force) {
    const advice = 'a key that is overwritten is lost for ever; --force does it all the same';
    for (const file of [path, publicFile]) await expectNoFile(file, advice);
  }
  const made = newKey();
  const text =
    options.passphrase === undefined
      ? `${JSON.stringify(made, null, 2)}\n`
      : await sealKey(made, await options.passphrase());
  await writeGiven(path, text, 0o600);
  const key = publicPart(made);
  await writeGiven(publicFile, `${JSON.stringify(key, null, 2)}\n`, 0o644);
  return { key, publicFile };
}

/** What may be shown of the key in a file, private or public. */
export async function readPublicKey(path: string, ask?: AskPassphrase): Promise<KnownKey> {
  const { value } = await readKey(path, ask);
  const isPrivate = holdsPrivatePart(value);
  const parsed = (isPrivate ? PrivateJwk : PublicJwk).safeParse(value);
  const sound = parsed.success && (!isPrivate || halvesMatch(PrivateJwk.parse(value)));
  if (!sound) throw notAKey(path, 'an Ed25519 key as JWK (kty OKP, crv Ed25519, x)');
  const key = publicPart(parsed.data);
  if (parsed.data.kid !== undefined && parsed.data.kid !== key.kid) {
    throw unusable(
      `${path}: expected kid ${key.kid}, the thumbprint of the key (RFC 7638), found ${shown(parsed.data.kid)}`,
    );
  }
  return key;
}

export interface SigningKey {
  readonly key: PrivateJwk;
  readonly kid: string;
  /** What its owner should know, such as that others can read the file. */
  readonly warnings: readonly string[];
}

/** The private key in a file. Modes are warned of only: keys of a ceremony often lie on a stick whose file system has none. */
export async function readSigningKey(path: string, ask?: AskPassphrase): Promise<SigningKey> {
  const { value, mode } = await readKey(path, ask);
  const parsed = PrivateJwk.safeParse(value);
  if (!parsed.success) {
    const hint =
      !holdsPrivatePart(value) && PublicJwk.safeParse(value).success
        ? '; this is the public half, which signs nothing'
        : '';
    throw notAKey(path, 'a private Ed25519 key as JWK (kty OKP, crv Ed25519, x, d)', hint);
  }
  if (!halvesMatch(parsed.data))
    throw unusable(`${path}: expected d and x of one key, found halves that do not belong together`);
  const open = process.platform !== 'win32' && (mode & 0o077) !== 0;
  const found = mode.toString(8).padStart(4, '0');
  const warnings = open
    ? [`${path}: expected mode 0600, found ${found}: others on this machine can read the key`]
    : [];
  return { key: parsed.data, kid: publicPart(parsed.data).kid, warnings };
}

/** The bytes of a file somebody named on the command line, and its mode. A file that cannot be read is wrong use: exit 2. */
export async function readGiven(
  path: string,
  maxBytes: number,
): Promise<{ bytes: Uint8Array; mode: number }> {
  let read: SmallFile;
  try {
    read = await readSmallFile(path, maxBytes);
  } catch (error) {
    throw unreadable(path, (error as Error).message);
  }
  switch (read.kind) {
    case 'read':
      return { bytes: read.bytes, mode: read.mode };
    case 'absent':
      throw unreadable(path, 'none');
    case 'too_large':
      throw unreadable(path, `one of more than ${maxBytes} bytes`);
  }
}

/** Puts a file somebody named there, whole. A place that cannot be written is wrong use (exit 2), a full disk is not (exit 5). */
export async function writeGiven(path: string, text: string, mode: number): Promise<void> {
  try {
    await writeFileAtomically(path, text, { mode });
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const full = code === 'ENOSPC' || code === 'EDQUOT';
    throw new OperationError(
      full ? 'disk_full' : 'usage',
      `${path}: expected a file that can be written: ${message}`,
      {
        exitCode: full ? 5 : 2,
        cause: error,
      },
    );
  }
}

export async function expectNoFile(path: string, advice: string): Promise<void> {
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (there)
    throw new OperationError('usage', `${path}: expected no file yet, found one; ${advice}`, { exitCode: 2 });
}

async function readKey(path: string, ask?: AskPassphrase): Promise<{ value: unknown; mode: number }> {
  const { bytes, mode } = await readGiven(path, KEY_MAX_BYTES);
  const text = Buffer.from(bytes).toString('latin1');
  if (isSealedKey(text)) {
    if (ask === undefined)
      throw unusable(`${path}: expected a key without a passphrase here, found one that is sealed by one`);
    const opened = await openKey(text, await ask(path));
    if (opened.kind === 'opened') return { value: opened.value, mode };
    throw unusable(
      `${path}: expected the passphrase that the key was made with, found another one (or a damaged file)`,
    );
  }
  const json = parseStrictJson(bytes);
  if (json.kind === 'malformed') throw notAKey(path, 'a key as JWK');
  return { value: json.value, mode };
}

function holdsPrivatePart(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'd' in value;
}

/** Says nothing of what is in the file: it may be half a key. */
function notAKey(path: string, expected: string, hint = ''): OperationError {
  return unusable(
    `${path}: expected ${expected}, found something else${hint}; "edge-agent keys new --out <file>" makes one`,
  );
}

function unusable(message: string): OperationError {
  return new OperationError('key_unusable', message, { exitCode: 2 });
}

function unreadable(path: string, found: string): OperationError {
  return new OperationError('usage', `${path}: expected a file to read, found ${found}`, { exitCode: 2 });
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
