import {
  MANIFEST_FILE,
  POLICY_FILE,
  RELEASE_FILE,
  ROOT_FILE,
  type Snapshot,
  TUF_FOLDER,
} from '../../reconciler/ports.ts';
import type { CommitInfo } from '../../schemas/status.ts';
import { TUF_MAX_BYTES } from '../../schemas/tuf-files.ts';
import { tufFiles } from '../tuf-files.ts';
import type { GitBudgets } from './budgets.ts';
import { GitFault, malformed } from './git-fault.ts';
import { type Commit, hexOf, idOf, parseCommit, type TreeEntry, treeEntries } from './git-objects.ts';
import type { ObjectReader } from './object-reader.ts';
import type { KeptRef } from './repository-refs.ts';

type Limits = Pick<
  GitBudgets,
  | 'objectBytes'
  | 'documentBytes'
  | 'manifestBytes'
  | 'policyBytes'
  | 'roots'
  | 'snapshotBytes'
  | 'commitBytes'
>;

const ROOTS_FOLDER = 'roots';
/** In the folder of a TUF repository. */
const TUF_ROOT = /^[1-9]\d{0,8}\.root\.json$/;
const SUBJECT_CHARACTERS = 512;
const AUTHOR_CHARACTERS = 256;

/**
 * The named files of one commit, read by path and never checked out, or null when the commit is not there. `tags` are all refs of
 * the repository. Throws `source_malformed` when a name is not a plain file, `source_too_large` beyond a cap, `cache_damaged`.
 */
export function readSnapshot(
  objects: ObjectReader,
  branch: { slug: string; commit: string; tuf: boolean },
  refs: ReadonlyMap<string, KeptRef>,
  limits: Limits,
): Snapshot | null {
  // The agent itself takes it apart: a message of 15 MiB costs 150 MiB there.
  const found = objects.read(idOf(branch.commit), limits.commitBytes);
  if (found === null) return null;
  if (found.kind !== 'commit')
    throw malformed(`expected ${branch.commit} to be a commit, found a ${found.kind}`);
  const commit = parseCommit(found.content);
  const revision = `tenant/${branch.slug}@sha1:${branch.commit}`;
  return {
    revision,
    fingerprint: revision,
    commit: describe(commit),
    tags: tagsOf(refs, branch.commit),
    files: readFiles(objects, commit.tree, limits, branch.tuf),
  };
}

/** Short names of the tags that lead to a commit. */
function tagsOf(refs: ReadonlyMap<string, KeptRef>, commit: string): string[] {
  const names: string[] = [];
  for (const [name, { oid, peeled }] of refs) {
    if ((peeled ?? oid) === commit && name.startsWith('refs/tags/')) names.push(name.slice(10));
  }
  return names;
}

function readFiles(
  objects: ObjectReader,
  tree: string,
  limits: Limits,
  tuf: boolean,
): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  let total = 0;
  const take = (path: string, entry: TreeEntry, maxBytes: number, signed = false): Uint8Array => {
    if (files.has(path)) throw malformed(`expected ${path} once in the commit, found it twice`);
    if (!/^100(?:644|755|664)$/.test(entry.mode)) {
      throw malformed(
        `expected ${path} to be a plain file, found ${nameOfMode(entry.mode)}; commit the file itself`,
      );
    }
    const content = readBlob(objects, entry.id, path, Math.min(maxBytes, limits.snapshotBytes - total), {
      signed,
    });
    total += content.length;
    files.set(path, content);
    return content;
  };

  const caps: Readonly<Record<string, number>> = {
    [MANIFEST_FILE]: limits.manifestBytes,
    [RELEASE_FILE]: limits.documentBytes,
    [POLICY_FILE]: limits.policyBytes,
  };
  const { content } = readKind(objects, tree, 'tree', 'the commit', limits.objectBytes);
  const top = entriesByName(content, 'the commit');
  for (const [name, cap] of Object.entries(caps)) {
    const entry = top.get(name);
    if (entry !== undefined) take(name, entry, cap, name === RELEASE_FILE);
  }
  const roots = folderEntries(objects, top.get(tuf ? TUF_FOLDER : ROOTS_FOLDER), limits.objectBytes);
  let count = 0;
  for (const [name, entry] of roots) {
    const path = `${tuf ? TUF_FOLDER : ROOTS_FOLDER}/${name}`;
    if (!(tuf ? TUF_ROOT.test(name) : ROOT_FILE.test(path))) continue;
    count += 1;
    if (count > limits.roots) {
      throw new GitFault('source_too_large', `expected at most ${limits.roots} root documents, found more`);
    }
    take(path, entry, tuf ? TUF_MAX_BYTES.root : limits.documentBytes, true);
  }
  if (!tuf) return files;
  const asking = tufFiles();
  let asked = asking.next();
  while (asked.done !== true) {
    const { path, maxBytes } = asked.value;
    const folder = `${TUF_FOLDER}/`;
    const entry = path.startsWith(folder) ? roots.get(path.slice(folder.length)) : top.get(path);
    const known = files.get(path);
    const found = entry === undefined ? null : (known ?? take(path, entry, maxBytes, true));
    asked = asking.next(found);
  }
  if (asked.value.tooMany) {
    throw new GitFault(
      'source_too_large',
      'expected at most 1024 targets roles in snapshot.json, found more',
    );
  }
  return files;
}

function folderEntries(
  objects: ObjectReader,
  entry: TreeEntry | undefined,
  maxBytes: number,
): ReadonlyMap<string, TreeEntry> {
  if (entry === undefined) return new Map();
  if (entry.mode !== '40000') {
    throw malformed(`expected ${entry.name} to be a folder, found ${nameOfMode(entry.mode)}`);
  }
  return entriesByName(readKind(objects, entry.id, 'tree', entry.name, maxBytes).content, entry.name);
}

function entriesByName(tree: Buffer, where: string): Map<string, TreeEntry> {
  const entries = new Map<string, TreeEntry>();
  for (const entry of treeEntries(tree)) {
    if (entries.has(entry.name)) throw malformed(`expected ${entry.name} once in ${where}, found it twice`);
    entries.set(entry.name, entry);
  }
  return entries;
}

/** A signed document that is too large is for trust to refuse: its size is all that is handed on of it. */
function readBlob(
  objects: ObjectReader,
  id: string,
  path: string,
  maxBytes: number,
  { signed }: { signed: boolean },
) {
  try {
    return readKind(objects, id, 'blob', path, maxBytes).content;
  } catch (error) {
    if (!signed || !(error instanceof GitFault) || error.code !== 'source_too_large') throw error;
    return new Uint8Array(maxBytes + 1);
  }
}

function readKind(objects: ObjectReader, id: string, kind: 'tree' | 'blob', path: string, maxBytes: number) {
  let found: ReturnType<ObjectReader['read']>;
  try {
    found = objects.read(id, maxBytes);
  } catch (error) {
    if (!(error instanceof GitFault) || error.code !== 'source_too_large') throw error;
    throw new GitFault('source_too_large', `${path}: expected at most ${maxBytes} bytes, found more`, {
      cause: error,
    });
  }
  if (found === null) throw malformed(`expected ${path} in the pack, found its ${kind} ${hexOf(id)} missing`);
  if (found.kind !== kind) throw malformed(`expected ${path} to be a ${kind}, found a ${found.kind}`);
  return found;
}

function nameOfMode(mode: string): string {
  const names: Readonly<Record<string, string>> = {
    '120000': 'a symbolic link',
    '160000': 'a submodule',
    '40000': 'a folder',
  };
  return names[mode] ?? `mode ${mode}`;
}

/** The time is the committer's: when the commit came to be as it is. */
function describe(commit: Commit): CommitInfo {
  const subject = commit.message.trimStart().split(/\n\s*\n/)[0] ?? '';
  const ms = (commit.committer.time?.seconds ?? 0) * 1_000;
  return {
    subject: printable(subject, SUBJECT_CHARACTERS),
    author: printable(commit.author.name, AUTHOR_CHARACTERS),
    time: new Date(ms <= 253_402_300_799_000 ? ms : 0).toISOString().replace('.000Z', 'Z'),
  };
}

/** One line without control characters: it is shown in terminals and written into logs. */
function printable(text: string, max: number): string {
  return Array.from(text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim())
    .slice(0, max)
    .join('');
}
