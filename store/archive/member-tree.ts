import { hash } from 'node:crypto';
import { hashEntries, type TreeEntry } from '../tree-hash.ts';
import { ArchiveRefusal, quoteName } from './archive-refusal.ts';
import { nameKey, splitMemberName } from './member-name.ts';
import type { TarMember } from './tar-reader.ts';

/** Beyond it a key is hashed: no longer than the digest, so that no name is the digest of another. */
const KEY_MAX_LENGTH = 43;

interface FileNode {
  readonly kind: 'file';
  readonly name: string;
  readonly size: number;
  readonly executable: boolean;
  sha256: string;
}
interface DirectoryNode {
  readonly kind: 'directory';
  readonly name: string;
  /** Named by a member of its own, not only by what lies in it. */
  named: boolean;
  /** By folded name. */
  readonly entries: Map<string, FileNode | DirectoryNode>;
}

export interface MemberTree {
  /**
   * Takes a member, or throws `ArchiveRefusal` for one that breaks a rule of names, meets another one, or exceeds a cap.
   * `directories` are the relative paths that it adds, the outermost first; `path` is empty for the root.
   */
  add(member: TarMember): { readonly path: string; readonly directories: readonly string[] };
  /** The content's hash of the file added last. */
  hashed(sha256: string): void;
  readonly files: number;
  readonly bytes: number;
  /** Files and directories, those that only lie above others included. */
  readonly members: number;
  /** Relative paths of every directory but the root, the innermost first. */
  directories(): string[];
  /** Hash over names, kinds, sizes, contents and who may execute: `tree_sha256` of `.complete`. */
  sha256(): string;
}

/** What an archive would make on disk, checked as it grows. `maxFiles` counts files and directories. */
export function createMemberTree(caps: { maxBytes: number; maxFiles: number }): MemberTree {
  const root = directory('');
  let members = 0;
  let files = 0;
  let bytes = 0;
  let last: FileNode | null = null;

  const count = () => {
    members += 1;
    if (members > caps.maxFiles) {
      throw new ArchiveRefusal(
        'member_count',
        `expected at most ${caps.maxFiles} files and folders (artifacts.max_files), found more`,
      );
    }
  };

  return {
    add(member) {
      const segments = splitMemberName(member.name);
      const leaf = segments.pop();
      if (leaf === undefined) {
        if (member.kind === 'file' || root.named) throw duplicate(member.name);
        root.named = true;
        return { path: '', directories: [] };
      }
      const made: string[] = [];
      let folder = root;
      let path = '';
      for (const segment of segments) {
        path = path === '' ? segment : `${path}/${segment}`;
        const key = entryKey(segment);
        let next = folder.entries.get(key);
        if (next === undefined) {
          count();
          next = directory(segment);
          folder.entries.set(key, next);
          made.push(path);
        }
        if (next.name !== segment) throw collision(member.name, next.name);
        if (next.kind === 'file') {
          throw new ArchiveRefusal(
            'file_as_folder',
            `expected a folder, found the file ${quoteName(path)} above ${quoteName(member.name)}`,
          );
        }
        folder = next;
      }
      path = path === '' ? leaf : `${path}/${leaf}`;
      const key = entryKey(leaf);
      const met = folder.entries.get(key);
      if (met !== undefined) {
        if (met.name !== leaf) throw collision(member.name, met.name);
        if (met.kind !== member.kind) throw fileAndFolder(member.name);
        if (met.kind === 'file' || met.named) throw duplicate(member.name);
        met.named = true;
        return { path, directories: made };
      }
      count();
      if (member.kind === 'directory') {
        const added = directory(leaf);
        added.named = true;
        folder.entries.set(key, added);
        made.push(path);
        return { path, directories: made };
      }
      files += 1;
      bytes += member.size;
      if (bytes > caps.maxBytes) {
        throw new ArchiveRefusal(
          'unpacked_bytes',
          `expected at most ${caps.maxBytes} bytes unpacked (artifacts.max_unpacked_bytes), found more at ${quoteName(member.name)}`,
        );
      }
      last = { kind: 'file', name: leaf, size: member.size, executable: member.executable, sha256: '' };
      folder.entries.set(key, last);
      return { path, directories: made };
    },
    hashed(sha256) {
      if (last !== null) last.sha256 = sha256;
    },
    get files() {
      return files;
    },
    get bytes() {
      return bytes;
    },
    get members() {
      return members;
    },
    directories: () => addDirectories(root, '', []),
    sha256: () => hashOf(root),
  };
}

/** A few bytes of a name may fold to a hundred letters: of a long key only the digest is kept. */
function entryKey(name: string): string {
  const key = nameKey(name);
  return key.length <= KEY_MAX_LENGTH ? key : hash('sha256', key, 'base64');
}

function directory(name: string): DirectoryNode {
  return { kind: 'directory', name, named: false, entries: new Map() };
}

/** Into one list: a spread of a hundred thousand of them is more than the stack takes. */
function addDirectories(folder: DirectoryNode, path: string, found: string[]): string[] {
  for (const entry of folder.entries.values()) {
    if (entry.kind === 'file') continue;
    const below = path === '' ? entry.name : `${path}/${entry.name}`;
    addDirectories(entry, below, found);
    found.push(below);
  }
  return found;
}

function hashOf(folder: DirectoryNode): string {
  const entries: TreeEntry[] = [];
  for (const entry of folder.entries.values()) {
    if (entry.kind === 'file') entries.push(entry);
    else entries.push({ kind: 'directory', name: entry.name, sha256: hashOf(entry) });
  }
  return hashEntries(entries);
}

function duplicate(name: string): ArchiveRefusal {
  return new ArchiveRefusal('duplicate', `expected every member once, found ${quoteName(name)} twice`);
}

function fileAndFolder(name: string): ArchiveRefusal {
  return new ArchiveRefusal(
    'file_as_folder',
    `expected every member once, found ${quoteName(name)} as a file and as a folder`,
  );
}

function collision(name: string, other: string): ArchiveRefusal {
  return new ArchiveRefusal(
    'collision',
    `expected names that differ on every platform, found ${quoteName(name)} beside ${quoteName(other)}, which differ only in case or Unicode form`,
  );
}
