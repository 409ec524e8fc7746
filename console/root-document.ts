import { readSignedDocument } from '../trust/jws.ts';
import { countSignatures, describeShortfall, parseRoot } from '../trust/root.ts';

/**
 * Why a text is no root that an agent could be enrolled with, or null. It must be signed by its own root role: agents would
 * refuse it otherwise, one by one, long after the mistake was made.
 */
export async function rootDocumentFault(document: string): Promise<string | null> {
  const signed = readSignedDocument(Buffer.from(document, 'utf8'), 'root', 'edgeflows-root+jws');
  if (signed.kind === 'refused') return signed.message;
  const parsed = parseRoot(signed.payload, 'root');
  if (parsed.kind === 'refused') return parsed.message;
  const count = await countSignatures(signed, parsed.root, 'root');
  return count.met ? null : describeShortfall(count, 'root', parsed.root.version);
}
