import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { POLICY_FILE, RELEASE_FILE } from '../reconciler/ports.ts';
import { SIGNED_DOCUMENT_MAX_BYTES } from '../schemas/jws.ts';
import type { ReleaseStatement } from '../schemas/release.ts';
import type { Root } from '../schemas/root.ts';
import {
  combineDocuments,
  type DraftDocument,
  readDraft,
  serialiseDocument,
  signDocument,
} from '../trust/ceremony/draft.ts';
import { makeReleaseStatement, signRelease } from '../trust/ceremony/release.ts';
import { readSignedDocument } from '../trust/jws.ts';
import { readStatement } from '../trust/release-statement.ts';
import { countSignatures, type SignatureCount } from '../trust/root.ts';
import { expectDigits, payloadDigest, writeDocument } from './document-files.ts';
import { type AskPassphrase, readGiven, readSigningKey, type SigningKey, writeGiven } from './key-files.ts';
import { OperationError } from './operation-error.ts';
import { expectBound, readManifest, readPolicy, readTrustedRoot } from './release-inputs.ts';
import { ceremony } from './root-ceremony.ts';

const TYP = 'edgeflows-release+jws';

/** A signed release as people need to see it. */
export interface ReleaseView {
  readonly file: string;
  readonly statement: ReleaseStatement;
  /** SHA-256 of what is signed: the same on every copy. What signers read to each other before they sign. */
  readonly payload_sha256: string;
  /** By the release keys of the root that was given; null when none was. */
  readonly signatures: SignatureCount | null;
  readonly warnings: readonly string[];
}

export interface ReleaseOrder {
  readonly manifest: string;
  readonly policy: string | null;
  readonly root: string;
  /** Files of private keys, at least one. */
  readonly keys: readonly string[];
  /** Null: that of the previous release. */
  readonly tenant: string | null;
  /** Null: one more than the previous release, or 1 where there is none. */
  readonly seq: number | null;
  /** Null: `release.jws.json` beside the manifest, if it is there. */
  readonly previous: string | null;
  readonly issued: string;
  readonly expires: string;
  readonly version: string | null;
  readonly minAgent: string | null;
  /** Null: `release.jws.json` beside the manifest. */
  readonly out: string | null;
  readonly ask?: AskPassphrase;
}

/**
 * Checks manifest and policy as an agent will, states what they are, signs that and writes it (contract, section 5). Throws
 * OperationError: exit 4 for a manifest or policy that agents would not take, 2 for the rest.
 */
export async function signReleaseFile(order: ReleaseOrder): Promise<ReleaseView> {
  const manifest = await readManifest(order.manifest);
  const policy = order.policy === null ? null : await readPolicy(order.policy);
  const root = await readTrustedRoot(order.root, new Date(order.issued));
  const keys = await readSigningKeys(order);
  const [first, ...others] = keys;
  if (first === undefined) throw usage('expected at least one --key <private.jwk>, found none');
  expectReleaseKeys(keys, order.keys, root, order.root);
  const beside = join(dirname(order.manifest), RELEASE_FILE);
  const previous = await previousRelease(order, root, beside);
  const tenant = order.tenant ?? previous?.tenant;
  if (tenant === undefined)
    throw usage('expected --tenant <slug>, found neither it nor a previous release to take it from');
  if (previous !== null && previous.tenant !== tenant) {
    throw usage(
      `expected the previous release to be one of ${tenant}, found one of ${previous.tenant}; say --seq if that is meant`,
    );
  }
  const seq = order.seq ?? (previous === null ? 1 : previous.seq + 1);
  const statement = ceremony(() =>
    makeReleaseStatement({
      tenant,
      seq,
      issued: order.issued,
      expires: order.expires,
      root_version: root.version,
      ...(order.version === null ? {} : { version: order.version }),
      ...(order.minAgent === null ? {} : { min_agent: order.minAgent }),
      manifestBytes: manifest,
      ...(policy === null ? {} : { policyBytes: policy }),
    }),
  );
  const signed = await ceremony(() => signRelease(statement, [first.key, ...others.map(({ key }) => key)]));
  const out = order.out ?? beside;
  await writeGiven(out, serialiseDocument(signed), 0o644);
  const view = await viewRelease(signed, out, root);
  const warnings = [
    ...keyWarnings(keys, root),
    ...(await unboundPolicy(order)),
    ...(order.seq === null && previous === null
      ? [
          'seq 1, as there is no previous release here; agents that have seen a later one will refuse it: say --previous or --seq',
        ]
      : []),
    ...view.warnings,
  ];
  return { ...view, warnings };
}

/** A signature by any other key counts for nothing: it is refused before a file is written that looks signed. */
function expectReleaseKeys(
  keys: readonly SigningKey[],
  files: readonly string[],
  root: Root,
  rootFile: string,
): void {
  const { keyids } = root.roles.release;
  const foreign = keys.findIndex(({ kid }) => !keyids.includes(kid));
  if (foreign < 0) return;
  throw usage(
    `expected release keys of ${rootFile} (${keyids.join(', ')}), found ${files[foreign]}, which is ${keys[foreign]?.kid}; sign with a release key`,
  );
}

export interface AddedSignature {
  readonly file: string;
  readonly keys: readonly string[];
  readonly root: string | null;
  /** What the signer believes to sign: held against what the statement binds. */
  readonly manifest: string | null;
  readonly policy: string | null;
  /** Null: in place. */
  readonly out: string | null;
  /** Digits of `payload_sha256` that were read out; null where none were. */
  readonly expect?: string | null;
  readonly force?: boolean;
  readonly ask?: AskPassphrase;
}

/** Further signatures under a release that somebody else has signed. */
export async function addReleaseSignature(order: AddedSignature): Promise<ReleaseView> {
  const root = order.root === null ? null : await readTrustedRoot(order.root, null);
  let document = await readReleaseFile(order.file);
  expectDigits(document, order.expect ?? null, order.file);
  const { manifest, policy } = statementOf(document, order.file);
  if (order.manifest !== null) expectBound(await readManifest(order.manifest), manifest, order.manifest);
  if (order.policy !== null) expectBound(await readPolicy(order.policy), policy ?? null, order.policy);
  const keys = await readSigningKeys(order);
  if (keys.length === 0) throw usage('expected at least one --key <private.jwk>, found none');
  if (root !== null) expectReleaseKeys(keys, order.keys, root, order.root as string);
  for (const { key } of keys) document = await ceremony(() => signDocument(document, key, TYP));
  const out = order.out ?? order.file;
  await writeDocument(out, document, { force: order.force === true });
  const view = await viewRelease(document, out, root);
  return { ...view, warnings: [...keyWarnings(keys, root), ...view.warnings] };
}

/** Brings together what several people signed apart. */
export async function combineReleaseFiles(
  files: readonly string[],
  out: string,
  options: { readonly root?: string | null; readonly force?: boolean } = {},
): Promise<ReleaseView> {
  const root = options.root == null ? null : await readTrustedRoot(options.root, null);
  const [first, ...others] = await Promise.all(files.map(readReleaseFile));
  if (first === undefined || others.length === 0) throw usage('expected two or more copies of one release');
  let combined = first;
  for (const other of others) combined = ceremony(() => combineDocuments(combined, other, TYP));
  await writeDocument(out, combined, { force: options.force === true });
  return viewRelease(combined, out, root);
}

export async function showReleaseFile(file: string, root: string | null): Promise<ReleaseView> {
  return viewRelease(
    await readReleaseFile(file),
    file,
    root === null ? null : await readTrustedRoot(root, null),
  );
}

async function viewRelease(document: DraftDocument, file: string, root: Root | null): Promise<ReleaseView> {
  const statement = statementOf(document, file);
  const payload_sha256 = payloadDigest(document);
  if (root === null) return { file, statement, payload_sha256, signatures: null, warnings: [] };
  const signatures = await countBy(document, root, file);
  const { threshold, signed, missing, met } = signatures;
  const warnings: string[] = [];
  if (!met) {
    warnings.push(
      `signed by ${signed.length} of the ${threshold} release keys it takes; one of ${missing.join(', ')} signs next: edge-agent release sign --add ${file} --key <private.jwk>`,
    );
  }
  if (statement.root_version !== root.version) {
    warnings.push(
      `it is for root ${statement.root_version}, and this is root ${root.version}: agents that have this root refuse it`,
    );
  }
  return { file, statement, payload_sha256, signatures, warnings };
}

async function countBy(document: DraftDocument, root: Root, file: string): Promise<SignatureCount> {
  const read = readSignedDocument(Buffer.from(serialiseDocument(document), 'utf8'), file, TYP);
  if (read.kind === 'refused') throw refusedDocument(read.message);
  return countSignatures(read, root, 'release');
}

/** Only a release that a release key of this root has signed may say which seq comes next: a planted one could use them all up. */
async function previousRelease(
  order: ReleaseOrder,
  root: Root,
  beside: string,
): Promise<ReleaseStatement | null> {
  if (order.seq !== null) return null;
  if (order.previous === null && !(await exists(beside))) return null;
  const file = order.previous ?? beside;
  const document = await readReleaseFile(file);
  const { signed } = await countBy(document, root, file);
  if (signed.length > 0) return statementOf(document, file);
  throw usage(
    `${file}: expected a release signed by a release key of root ${root.version} to count on from, found none of their signatures; say the number with --seq (1 where every release key is new)`,
  );
}

async function readReleaseFile(path: string): Promise<DraftDocument> {
  const { bytes } = await readGiven(path, SIGNED_DOCUMENT_MAX_BYTES);
  const document = ceremony(() => readDraft(Buffer.from(bytes).toString('utf8'), path));
  if (document.signatures.length === 0)
    throw refusedDocument(`${path}: expected a signed release, found no signature`);
  return document;
}

function statementOf(document: DraftDocument, file: string): ReleaseStatement {
  const read = readStatement(Buffer.from(document.payload, 'base64url'), file);
  if (read.kind === 'refused') throw refusedDocument(read.message);
  return read.statement;
}

function keyWarnings(keys: readonly SigningKey[], root: Root | null): string[] {
  return keys.flatMap(({ kid, warnings }) => {
    const foreign = root !== null && !root.roles.release.keyids.includes(kid);
    return foreign
      ? [
          ...warnings,
          `the key ${kid} is no release key of root ${root.version}; its signature counts for nothing`,
        ]
      : warnings;
  });
}

/** One after the other: whoever types the passphrases can do one at a time. */
async function readSigningKeys({ keys, ask }: Pick<ReleaseOrder, 'keys' | 'ask'>): Promise<SigningKey[]> {
  const read: SigningKey[] = [];
  for (const file of keys) read.push(await readSigningKey(file, ask));
  return read;
}

async function unboundPolicy({ policy, manifest }: ReleaseOrder): Promise<string[]> {
  const beside = join(dirname(manifest), POLICY_FILE);
  if (policy !== null || !(await exists(beside))) return [];
  return [`${beside} is there but not bound: agents will ignore it; bind it with --policy ${beside}`];
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function refusedDocument(message: string): OperationError {
  return new OperationError('document_refused', message, { exitCode: 2 });
}

function usage(message: string): OperationError {
  return new OperationError('usage', message, { exitCode: 2 });
}
