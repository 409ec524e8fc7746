import { readSignedDocument } from '../trust/jws.ts';
import { parseRoot } from '../trust/root.ts';
import type { GitRepositories } from './git-repositories.ts';
import type { TenantStore } from './tenants.ts';

const ROOT_MAX_BYTES = 1024 * 1024;
/** A chain that is longer is not followed here. */
const ROOTS_MAX = 32;
const DEADLINE_MS = 30_000;

/** Where the roots of a tenant are found. */
interface Roots {
  readonly repositories: Pick<GitRepositories, 'file' | 'tip'>;
  readonly tenants: Pick<TenantStore, 'rootDocuments'>;
}

/**
 * Why no agent of the tenant would take a command by this key (`kid`: its thumbprint), or null when one might. It looks at the
 * roots that tokens of the tenant pin and at those on its branch, without verifying them: agents do that, and this is no more
 * than a word in time for the person who took the wrong file. Null, too, where the console cannot know: the tenant's git lies
 * elsewhere, its trigger keys are TUF's, or a root on the branch cannot be read. With `known` the roots that the console has are
 * enough to judge by, wherever the git lies: who gives it a key to keep can give it the root as well.
 */
export async function triggerKeyFault(
  from: Roots,
  slug: string,
  kid: string,
  known = false,
): Promise<string | null> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  // A check that cannot be made (no git, a root of many megabytes) stands in nobody's way.
  return follow(from, slug, kid, known, signal).catch(() => null);
}

async function follow(
  from: Roots,
  slug: string,
  kid: string,
  known: boolean,
  signal: AbortSignal,
): Promise<string | null> {
  const file = async (path: string) => from.repositories.file(slug, path, ROOT_MAX_BYTES, signal);
  if (!known && (await from.repositories.tip(slug, signal)) === null) return null;
  if ((await file('metadata/timestamp.json')) !== null) return null;

  const roots = (await from.tenants.rootDocuments(slug)).map(rootIn);
  for (let looked = 0; looked < ROOTS_MAX; looked += 1) {
    const newest = newestOf(roots);
    if (newest === null) return null;
    const next = await file(`roots/${newest.version + 1}.root.jws.json`);
    if (next === null) return faultOf(roots, newest, kid);
    const root = rootIn(next.content.toString('utf8'));
    // A file under another number than its own would be read again and again.
    if (root?.version !== newest.version + 1) return null;
    roots.push(root);
  }
  return null;
}

type RootRead = ReturnType<typeof rootIn>;

function faultOf(roots: readonly RootRead[], newest: NonNullable<RootRead>, kid: string): string | null {
  if (roots.some((root) => root?.roles.trigger?.keyids.includes(kid) ?? true)) return null;
  const role = Object.entries(newest.roles).find(([, each]) => each?.keyids.includes(kid))?.[0];
  const found = role === undefined ? 'which it does not list' : `a key of its ${role} role`;
  const keys = newest.roles.trigger?.keyids ?? [];
  const expected = keys.length === 0 ? 'it has none' : keys.join(', ');
  return `expected a key of the trigger role of root ${newest.version} (${expected}), found ${kid}, ${found}`;
}

function newestOf(roots: readonly RootRead[]): RootRead {
  return roots.reduce<RootRead>(
    (newest, root) => (root !== null && root.version > (newest?.version ?? 0) ? root : newest),
    null,
  );
}

function rootIn(document: string) {
  const signed = readSignedDocument(Buffer.from(document, 'utf8'), 'root', 'edgeflows-root+jws');
  if (signed.kind === 'refused') return null;
  const parsed = parseRoot(signed.payload, 'root');
  return parsed.kind === 'refused' ? null : parsed.root;
}
