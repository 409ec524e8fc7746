import { normaliseRelease } from '../reconciler/normalise-release.ts';
import type { Snapshot } from '../reconciler/ports.ts';
import type { ReleaseStatement } from '../schemas/release.ts';
import type { Root } from '../schemas/root.ts';
import { checkRoot } from '../trust/ceremony/root-check.ts';
import { boundFileMatches } from '../trust/release-statement.ts';
import { parseRoot } from '../trust/root.ts';
import { hasExpired } from '../trust/trusted-time.ts';
import { createDocumentParser } from './document-parser.ts';
import { readGiven } from './key-files.ts';
import { OperationError } from './operation-error.ts';
import { ceremony, readRootFile } from './root-ceremony.ts';

const MANIFEST_MAX_BYTES = 8 * 1024 * 1024;
const POLICY_MAX_BYTES = 256 * 1024;

/** A root with the signatures of its own threshold: releases under anything less are refused everywhere. `at`: it must still be good then. */
export async function readTrustedRoot(file: string, at: Date | null): Promise<Root> {
  const document = await readRootFile(file);
  const read = parseRoot(Buffer.from(document.payload, 'base64url'), file);
  if (read.kind === 'refused') throw refusedDocument(read.message);
  const { met, threshold, missing } = (await ceremony(() => checkRoot(document))).own;
  if (!met) {
    throw refusedDocument(
      `${file}: expected a root signed by ${threshold} of its root keys, found fewer; one of ${missing.join(', ')} signs next: edge-agent root sign ${file} --key <private.jwk>`,
    );
  }
  if (at !== null && hasExpired(read.root.expires, at)) {
    throw refusedDocument(
      `${file}: expected a root that has not expired, found expires ${read.root.expires}; rotate it first: edge-agent root rotate ${file}`,
    );
  }
  return read.root;
}

/** The raw bytes of a manifest that agents would take, or an OperationError with exit 4 that says where it is wrong. */
export async function readManifest(path: string): Promise<Uint8Array> {
  const { bytes } = await readGiven(path, MANIFEST_MAX_BYTES);
  const nowhere: Snapshot = {
    revision: `tenant/none@sha1:${'0'.repeat(40)}`,
    fingerprint: '',
    commit: null,
    tags: [],
    files: new Map(),
  };
  const read = normaliseRelease(createDocumentParser(), nowhere, bytes, undefined, path);
  if (read.kind === 'release') return bytes;
  throw new OperationError('manifest_invalid', read.message, {
    exitCode: 4,
    details: { file: path, code: read.code },
  });
}

export async function readPolicy(path: string): Promise<Uint8Array> {
  const { bytes } = await readGiven(path, POLICY_MAX_BYTES);
  const parsed = createDocumentParser().policy(bytes, path);
  if (parsed.kind === 'valid') return bytes;
  throw new OperationError('policy_invalid', parsed.message, { exitCode: 4, details: { file: path } });
}

/** The file a signer looked at has to be the one that is signed. */
export function expectBound(
  bytes: Uint8Array,
  bound: ReleaseStatement['manifest'] | null,
  path: string,
): void {
  if (bound !== null && boundFileMatches(bytes, bound)) return;
  const expected = bound === null ? 'no such file bound' : `sha256 ${bound.sha256}, ${bound.length} bytes`;
  throw refusedDocument(
    `${path}: this is not the file the release was made for (${expected}); ask whoever made it before you sign`,
  );
}

function refusedDocument(message: string): OperationError {
  return new OperationError('document_refused', message, { exitCode: 2 });
}
