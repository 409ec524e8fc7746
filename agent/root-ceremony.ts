import { type PublicJwk, SIGNED_DOCUMENT_MAX_BYTES } from '../schemas/jws.ts';
import { ROLE_NAMES, type Role, type RoleName } from '../schemas/root.ts';
import {
  CeremonyError,
  combineDocuments,
  type DraftDocument,
  readDraft,
  serialiseDocument,
  signDocument,
} from '../trust/ceremony/draft.ts';
import { findRootChanges, type RootChangesFound } from '../trust/ceremony/root-changes.ts';
import { checkRoot, type RootCheck } from '../trust/ceremony/root-check.ts';
import { newRoot, rotateRoot } from '../trust/ceremony/root-draft.ts';
import { sha256Hex } from '../trust/jws.ts';
import { parseRoot } from '../trust/root.ts';
import { expectDigits, payloadDigest, writeDocument } from './document-files.ts';
import {
  type AskPassphrase,
  expectNoFile,
  type KnownKey,
  readGiven,
  readPublicKey,
  readSigningKey,
  writeGiven,
} from './key-files.ts';
import { OperationError } from './operation-error.ts';

const TYP = 'edgeflows-root+jws';

/** A root document as people need to see it. `sha256` is of the exact text: what an enrolment token pins. */
export interface RootView extends RootCheck {
  readonly file: string;
  readonly sha256: string;
  /** Of what is signed: the same on every copy. What signers read to each other before they sign. */
  readonly payload_sha256: string;
  /** Against the root before; null when that was not given. */
  readonly changes: RootChangesFound | null;
  readonly roles: Readonly<Partial<Record<RoleName, Role>>>;
  readonly warnings: readonly string[];
}

export type FilesByRole = Readonly<Partial<Record<RoleName, readonly string[]>>>;
export type ThresholdsByRole = Readonly<Partial<Record<RoleName, number>>>;

/** The unsigned first root of these public keys. `expires` is RFC 3339, UTC. */
export async function draftFirstRoot(plan: {
  readonly keys: FilesByRole;
  readonly thresholds: ThresholdsByRole;
  readonly expires: string;
  readonly out: string;
  readonly force: boolean;
}): Promise<RootView> {
  const keys: Partial<Record<RoleName, KnownKey[]>> = {};
  for (const role of ROLE_NAMES) keys[role] = await readKeys(plan.keys[role] ?? []);
  for (const role of ['root', 'release'] as const) {
    if (keys[role]?.length === 0) throw usage(`expected at least one --${role}-key <public.jwk>, found none`);
  }
  const draft = ceremony(() => newRoot({ expires: plan.expires, keys, thresholds: plan.thresholds }));
  return writeRoot(draft, plan);
}

/** Adds one signature. In place, or to `out`; two people can do it one after the other or each on a copy. */
export async function signRootFile(order: {
  readonly file: string;
  readonly key: string;
  readonly out: string | null;
  readonly previous: string | null;
  /** Digits of `payload_sha256` that were read out; null where none were. */
  readonly expect?: string | null;
  readonly force?: boolean;
  readonly ask?: AskPassphrase;
}): Promise<RootView> {
  const draft = await readRootFile(order.file);
  expectDigits(draft, order.expect ?? null, order.file);
  const previous = order.previous === null ? undefined : await readRootFile(order.previous);
  const { key, kid, warnings } = await readSigningKey(order.key, order.ask);
  const signed = await ceremony(() => signDocument(draft, key, TYP));
  const out = order.out ?? order.file;
  const view = await viewRoot(signed, out, previous);
  const { version } = view;
  const counts = [view.own, view.previous].some((count) => count?.signed.includes(kid));
  // the first root has none before it; of a later one only who names it knows
  if (!counts && (version === 1 || previous !== undefined)) {
    const roots = version === 1 ? 'root 1' : `root ${version} or ${version - 1}`;
    throw usage(`expected a root key of ${roots}, found ${order.key}, which is ${kid}; sign with a root key`);
  }
  await writeDocument(out, signed, { force: order.force === true });
  const outside = `the key ${kid} is no root key of root ${version}; its signature counts only if it is one of root ${version - 1}`;
  return { ...view, warnings: [...warnings, ...view.warnings, ...(counts ? [] : [outside])] };
}

/** Brings together what several people signed apart. */
export async function combineRootFiles(
  files: readonly string[],
  out: string,
  options: { readonly previous?: string | null; readonly force?: boolean } = {},
): Promise<RootView> {
  const previous = options.previous == null ? undefined : await readRootFile(options.previous);
  const [first, ...others] = await Promise.all(files.map(readRootFile));
  if (first === undefined || others.length === 0)
    throw usage('expected two or more copies of one root document');
  let combined = first;
  for (const other of others) combined = ceremony(() => combineDocuments(combined, other, TYP));
  const view = await viewRoot(combined, out, previous);
  await writeDocument(out, combined, { force: options.force === true });
  return view;
}

/** The unsigned next root: the keys of the previous one, less those removed, more those added. */
export async function draftNextRoot(plan: {
  readonly previous: string;
  readonly add: FilesByRole;
  /** Key ids, or files with the keys. */
  readonly remove: FilesByRole;
  readonly thresholds: ThresholdsByRole;
  readonly expires: string;
  readonly out: string | null;
  readonly force: boolean;
}): Promise<RootView> {
  const previous = await readRootFile(plan.previous);
  const root = contentOf(previous, plan.previous);
  const keys: Partial<Record<RoleName, PublicJwk[]>> = {};
  for (const role of ROLE_NAMES) {
    const before = root.roles[role]?.keyids ?? [];
    const removed = await Promise.all((plan.remove[role] ?? []).map((given) => kidOf(given, before)));
    const foreign = removed.find((kid) => !before.includes(kid));
    if (foreign !== undefined) {
      throw usage(
        `--remove-${role}-key: expected one of ${before.join(', ') || 'no key at all'}, found ${foreign}`,
      );
    }
    const kept = before.filter((kid) => !removed.includes(kid)).flatMap((kid) => root.keys[kid] ?? []);
    const added = await readKeys(plan.add[role] ?? []);
    const twice = added.find((key) => before.includes(key.kid));
    if (twice !== undefined) throw usage(`--add-${role}-key: ${twice.kid} is a ${role} key already`);
    keys[role] = [...kept, ...added];
  }
  const changes = { expires: plan.expires, keys, thresholds: plan.thresholds };
  const draft = ceremony(() => rotateRoot(previous, changes));
  const out = plan.out ?? `${root.version + 1}.root.jws.json`;
  return writeRoot(draft, { out, force: plan.force }, previous);
}

export async function showRootFile(file: string, previous: string | null): Promise<RootView> {
  const before = previous === null ? undefined : await readRootFile(previous);
  const { bytes } = await readGiven(file, SIGNED_DOCUMENT_MAX_BYTES);
  const text = Buffer.from(bytes).toString('utf8');
  const view = await viewRoot(
    ceremony(() => readDraft(text, file)),
    file,
    before,
  );
  // another program may have laid the document out in its own way; what counts is what lies there
  return { ...view, sha256: sha256Hex(bytes) };
}

/** The document in a root file; its form is checked, its signatures are not. */
export async function readRootFile(path: string): Promise<DraftDocument> {
  const { bytes } = await readGiven(path, SIGNED_DOCUMENT_MAX_BYTES);
  return ceremony(() => readDraft(Buffer.from(bytes).toString('utf8'), path));
}

/** What ceremonies refuse is told as wrong use: exit 2. */
export function ceremony<T>(work: () => T): T {
  try {
    const done = work();
    if (!(done instanceof Promise)) return done;
    return done.catch((error: unknown) => {
      throw asOperationError(error);
    }) as T;
  } catch (error) {
    throw asOperationError(error);
  }
}

function asOperationError(error: unknown): unknown {
  if (!(error instanceof CeremonyError)) return error;
  return new OperationError('document_refused', error.message, { exitCode: 2, cause: error });
}

async function writeRoot(
  draft: DraftDocument,
  { out, force }: { out: string; force: boolean },
  previous?: DraftDocument,
): Promise<RootView> {
  if (!force) await expectNoFile(out, 'name another with --out, or overwrite it with --force');
  const view = await viewRoot(draft, out, previous);
  await writeGiven(out, serialiseDocument(draft), 0o644);
  return view;
}

async function viewRoot(document: DraftDocument, file: string, previous?: DraftDocument): Promise<RootView> {
  const content = contentOf(document, file);
  const { roles } = content;
  const changes =
    previous === undefined ? null : findRootChanges(contentOf(previous, 'the previous root'), content);
  const check = await ceremony(() => checkRoot(document, previous));
  const sha256 = sha256Hex(Buffer.from(serialiseDocument(document), 'utf8'));
  return {
    file,
    ...check,
    sha256,
    payload_sha256: payloadDigest(document),
    changes,
    roles,
    warnings: thresholdWarnings(roles.root),
  };
}

/** Both ends of a threshold that a person may regret: one key is enough, or none may be lost. */
function thresholdWarnings({ threshold, keyids }: Role): string[] {
  if (threshold === 1)
    return ['root threshold 1: whoever gets hold of one root key can replace every key; 2 of 3 is safer'];
  if (threshold < keyids.length) return [];
  return [
    `root threshold ${threshold} of ${keyids.length}: if one root key is lost, no root can ever be made again; one key more is safer`,
  ];
}

function contentOf(document: DraftDocument, file: string) {
  const read = parseRoot(Buffer.from(document.payload, 'base64url'), file);
  if (read.kind === 'root') return read.root;
  throw new OperationError('document_refused', read.message, { exitCode: 2 });
}

/** A key to take out: by its id, or by the file that somebody still has of it. */
async function kidOf(given: string, known: readonly string[]): Promise<string> {
  if (known.includes(given) || /^[\w-]{43}$/.test(given)) return given;
  return (await readPublicKey(given)).kid;
}

async function readKeys(files: readonly string[]): Promise<KnownKey[]> {
  return Promise.all(files.map((file) => readPublicKey(file)));
}

function usage(message: string): OperationError {
  return new OperationError('usage', message, { exitCode: 2 });
}
