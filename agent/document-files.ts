import { SIGNED_DOCUMENT_MAX_BYTES } from '../schemas/jws.ts';
import { readSmallFile } from '../system/small-file.ts';
import { DraftDocument, serialiseDocument } from '../trust/ceremony/draft.ts';
import { sha256Hex } from '../trust/jws.ts';
import { writeGiven } from './key-files.ts';
import { OperationError } from './operation-error.ts';

const DIGITS_MIN = 16;

/** SHA-256, in hex, of what is signed: the same for every copy, however many have signed it. What people read to each other. */
export function payloadDigest(document: DraftDocument): string {
  return sha256Hex(Buffer.from(document.payload, 'base64url'));
}

/**
 * Holds a document to the digits that somebody read out: the whole digest, or its first 16 digits or more; spaces do not count.
 * Null expects nothing.
 */
export function expectDigits(document: DraftDocument, digits: string | null, file: string): void {
  if (digits === null) return;
  const wanted = digits.replaceAll(/\s/g, '').toLowerCase();
  if (!/^[0-9a-f]+$/.test(wanted) || wanted.length < DIGITS_MIN || wanted.length > 64) {
    throw usage(
      `--expect: expected ${DIGITS_MIN} to 64 hex digits of the payload's SHA-256, found "${digits.slice(0, 80)}"`,
    );
  }
  const found = payloadDigest(document);
  if (found.startsWith(wanted)) return;
  throw usage(
    `${file}: expected a payload whose SHA-256 begins with ${wanted}, found ${found}: it is not the document that was read out; nothing was signed`,
  );
}

/**
 * Writes a document where another copy of it may lie. Another document there, or a copy with a signature that this one lacks,
 * stays unless `force`.
 */
export async function writeDocument(
  out: string,
  document: DraftDocument,
  options: { readonly force: boolean },
): Promise<void> {
  if (!options.force) {
    const lost = await lossAt(out, document);
    if (lost !== null)
      throw usage(`${out}: ${lost}; name another file with --out, or overwrite it with --force`);
  }
  await writeGiven(out, serialiseDocument(document), 0o644);
}

async function lossAt(out: string, document: DraftDocument): Promise<string | null> {
  const there = await readSmallFile(out, SIGNED_DOCUMENT_MAX_BYTES).catch(() => null);
  if (there === null || there.kind === 'absent') return null;
  const other = 'expected no file yet, or a copy of the same document, found another one';
  if (there.kind === 'too_large') return other;
  const copy = copyIn(there.bytes);
  if (copy === null || copy.payload !== document.payload) return other;
  const kept = new Set(document.signatures.map(({ signature }) => signature));
  const lost = copy.signatures.filter(({ signature }) => !kept.has(signature)).length;
  return lost === 0
    ? null
    : `expected no signature that would be lost, found ${lost} that the new file has not`;
}

/** Leniently: whatever is not such a copy is another document. */
function copyIn(bytes: Uint8Array): DraftDocument | null {
  try {
    const parsed = DraftDocument.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function usage(message: string): OperationError {
  return new OperationError('usage', message, { exitCode: 2 });
}
