import { MANIFEST_FILE, RELEASE_FILE, type Snapshot, type TrustMemory } from '../../reconciler/ports.ts';
import type { GeneralJws, PrivateJwk } from '../../schemas/jws.ts';
import type { RoleName } from '../../schemas/root.ts';
import { type DraftDocument, serialiseDocument, signDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { makeReleaseStatement, type ReleasePlan, signRelease } from '../../trust/ceremony/release.ts';
import { newRoot, rotateRoot } from '../../trust/ceremony/root-draft.ts';
import { rootFileName } from '../../trust/root-walk.ts';

export const NOW = new Date('2026-11-20T15:00:00Z');
export const MANIFEST = Buffer.from(
  '{"edge_url":"https://a.example/b.tar.gz","sha256":"00","runtime":"python"}\n',
);
export const EMPTY: TrustMemory = { roots: [], seq: [], latest_issued: null, signed_seen: false };
export const FAR = '2030-01-01T00:00:00Z';
const DAY_MS = 24 * 60 * 60 * 1000;

/** A time so many days from NOW. */
export function daysFromNow(days: number): string {
  return new Date(NOW.getTime() + days * DAY_MS).toISOString();
}

export interface Keys {
  readonly root: readonly PrivateJwk[];
  readonly release: readonly PrivateJwk[];
}

export function makeKeys(root = 1, release = 1): Keys {
  return { root: Array.from({ length: root }, newKey), release: Array.from({ length: release }, newKey) };
}

export async function signRoot(draft: DraftDocument, keys: readonly PrivateJwk[]): Promise<GeneralJws> {
  let document: GeneralJws = draft;
  for (const key of keys) document = await signDocument(document, key, 'edgeflows-root+jws');
  return document;
}

export async function firstRoot(
  keys: Keys,
  thresholds: Partial<Record<RoleName, number>> = {},
  expires = FAR,
): Promise<GeneralJws> {
  return signRoot(
    newRoot({ expires, keys: { root: keys.root, release: keys.release }, thresholds }),
    keys.root,
  );
}

/** The next root, signed by the old and the new keys. */
export async function nextRoot(
  previous: DraftDocument,
  old: Keys,
  next: Keys = old,
  {
    expires = FAR,
    thresholds = {},
  }: { expires?: string; thresholds?: Partial<Record<RoleName, number>> } = {},
): Promise<GeneralJws> {
  const draft = rotateRoot(previous, {
    expires,
    keys: { root: next.root, release: next.release },
    thresholds,
  });
  return signRoot(draft, [...new Set([...old.root, ...next.root])]);
}

export function releasePlan(changes: Partial<ReleasePlan> = {}): ReleasePlan {
  const issued = daysFromNow(-1);
  const expires = daysFromNow(60);
  return { tenant: 'acme', seq: 1, issued, expires, root_version: 1, manifestBytes: MANIFEST, ...changes };
}

export async function release(
  keys: readonly PrivateJwk[],
  changes: Partial<ReleasePlan> = {},
): Promise<string> {
  const signers = keys as readonly [PrivateJwk, ...PrivateJwk[]];
  return serialiseDocument(await signRelease(makeReleaseStatement(releasePlan(changes)), signers));
}

type FileContent = string | Uint8Array | DraftDocument | null;

/** A snapshot with a manifest and the given files; null leaves one out. */
export function snapshot(files: Record<string, FileContent>): Snapshot {
  const bytes = new Map<string, Uint8Array>();
  for (const [path, content] of Object.entries({ [MANIFEST_FILE]: MANIFEST, ...files })) {
    if (content === null) continue;
    if (content instanceof Uint8Array) bytes.set(path, content);
    else
      bytes.set(
        path,
        Buffer.from(typeof content === 'string' ? content : serialiseDocument(content), 'utf8'),
      );
  }
  const revision = `tenant/acme@sha1:${'0'.repeat(40)}`;
  return { revision, fingerprint: revision, commit: null, tags: [], files: bytes };
}

/** Root documents by their file names. */
export function rootFiles(...roots: readonly DraftDocument[]): Record<string, DraftDocument> {
  const entries = roots.map((root) => {
    const { version } = JSON.parse(Buffer.from(root.payload, 'base64url').toString('utf8')) as {
      version: number;
    };
    return [rootFileName(version), root] as const;
  });
  return Object.fromEntries(entries);
}

export { RELEASE_FILE };
