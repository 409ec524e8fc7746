import { z } from 'zod';
import { GeneralJws, isStrictBase64url, type PrivateJwk } from '../../schemas/jws.ts';
import { foreignDocument } from '../foreign-document.ts';
import { type DocumentType, readSignedDocument, signPayload } from '../jws.ts';
import { firstFault } from '../refusal.ts';
import { readStatement } from '../release-statement.ts';
import { parseRoot } from '../root.ts';
import { parseStrictJson } from '../strict-json.ts';
import { thumbprint } from '../thumbprint.ts';

/** Wrong use of the ceremony, or a document that does not fit: the message says what to do. */
export class CeremonyError extends Error {
  override readonly name = 'CeremonyError';
}

/** A document on its way round the signers: a General JWS that may have no signature yet. */
export const DraftDocument = z.strictObject({
  payload: z.string().min(1).refine(isStrictBase64url, 'expected base64url without padding or spaces'),
  signatures: z.array(GeneralJws.shape.signatures.element).max(32),
});
export type DraftDocument = z.infer<typeof DraftDocument>;

/** The exact text of a document on disk and on the branch: two-space JSON, members in a fixed order, a newline at the end. */
export function serialiseDocument(document: DraftDocument): string {
  const { payload, signatures } = document;
  const ordered = signatures.map((each) => ({ protected: each.protected, signature: each.signature }));
  return `${JSON.stringify({ payload, signatures: ordered }, null, 2)}\n`;
}

/** The document in a file, signed or not. `name` is the file's, for messages. */
export function readDraft(text: string, name: string): DraftDocument {
  const json = parseStrictJson(Buffer.from(text, 'utf8'));
  if (json.kind === 'malformed') throw new CeremonyError(`${name}: ${json.message}`);
  const parsed = DraftDocument.safeParse(json.value);
  if (parsed.success) return parsed.data;
  const foreign = foreignDocument(json.value, 'edge-agent');
  const fault =
    foreign === null ? firstFault(parsed.error) : `expected a document of Edge-Agent, found ${foreign}`;
  throw new CeremonyError(`${name}: ${fault}`);
}

/** A draft nobody has signed yet. */
export function draftOf(payload: object): DraftDocument {
  const text = JSON.stringify(payload);
  return { payload: Buffer.from(text, 'utf8').toString('base64url'), signatures: [] };
}

/**
 * The document with one more signature. Each signer does this alone and offline, on the same draft or one after the other.
 * Throws `CeremonyError` when the payload is not what `typ` says, an existing signature has another form, or this key has signed.
 */
export async function signDocument(
  document: DraftDocument,
  key: PrivateJwk,
  typ: DocumentType,
): Promise<GeneralJws> {
  const payload = Buffer.from(document.payload, 'base64url');
  const content =
    typ === 'edgeflows-root+jws' ? parseRoot(payload, 'root') : readStatement(payload, 'release');
  if (content.kind === 'refused') throw new CeremonyError(content.message);
  const kid = thumbprint(key);
  if (signersOf(document, typ).includes(kid)) {
    throw new CeremonyError(
      `expected a key that has not signed this document, found ${kid} among its signatures`,
    );
  }
  const signature = await signPayload(payload, key, typ);
  return asSigned({ payload: document.payload, signatures: [...document.signatures, signature] }, typ);
}

/**
 * Brings together what two people signed apart. Throws `CeremonyError` when they signed different payloads; a signature that
 * both copies carry is kept once.
 */
export function combineDocuments(a: GeneralJws, b: GeneralJws, typ: DocumentType): GeneralJws {
  if (a.payload !== b.payload) {
    throw new CeremonyError(
      'expected two copies of one document, found different payloads: sign the same draft',
    );
  }
  const present = new Set(signersOf(a, typ));
  const kids = signersOf(b, typ);
  const added = b.signatures.filter((_, index) => !present.has(kids[index] ?? ''));
  return asSigned({ payload: a.payload, signatures: [...a.signatures, ...added] }, typ);
}

/** Key ids that the headers name, in order; whether the signatures hold is `checkRoot`'s to say. */
function signersOf(document: DraftDocument, typ: DocumentType): string[] {
  if (document.signatures.length === 0) return [];
  const read = readSignedDocument(Buffer.from(serialiseDocument(document), 'utf8'), 'document', typ);
  if (read.kind === 'refused') throw new CeremonyError(read.message);
  return read.signatures.map((each) => each.kid);
}

/** Nothing leaves the ceremony that an agent would refuse for its form. */
function asSigned(document: GeneralJws, typ: DocumentType): GeneralJws {
  const read = readSignedDocument(Buffer.from(serialiseDocument(document), 'utf8'), 'document', typ);
  if (read.kind === 'refused') throw new CeremonyError(read.message);
  return document;
}
