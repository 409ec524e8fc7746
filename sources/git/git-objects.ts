import { hash } from 'node:crypto';
import { malformed } from './git-fault.ts';
import type { ObjectKind } from './pack-entry.ts';

/** Object ids inside this folder: 20 latin1 characters where there are many (half the memory of hex), hex at the edges. */
export function hexOf(id: string): string {
  return Buffer.from(id, 'latin1').toString('hex');
}
export function idOf(hex: string): string {
  return Buffer.from(hex, 'hex').toString('latin1');
}

export function objectId(kind: ObjectKind, content: Uint8Array): string {
  const header = Buffer.from(`${kind} ${content.length}\0`);
  return (hash('sha1', Buffer.concat([header, content]), 'buffer') as Buffer).toString('latin1');
}

/** A moment as git writes it: seconds since 1970, and the zone as the four digits stand (+0530 is 530). Null when it is none. */
export interface GitTime {
  readonly seconds: number;
  readonly zone: number;
}

export interface Commit {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly author: { readonly name: string; readonly time: GitTime | null };
  readonly committer: { readonly time: GitTime | null };
  readonly message: string;
}

const TREE_LINE = /^tree [0-9a-f]{40}\n/;

export function parseCommit(content: Buffer): Commit {
  const text = content.toString('latin1');
  if (!TREE_LINE.test(text)) throw malformed('expected a commit with a tree, found other content');
  let at = 46;
  const parents: string[] = [];
  while (text.startsWith('parent ', at)) {
    const hex = text.slice(at + 7, at + 47);
    if (!/^[0-9a-f]{40}$/.test(hex) || text[at + 47] !== '\n') {
      throw malformed('expected a commit with whole parents, found other content');
    }
    parents.push(idOf(hex));
    at += 48;
  }
  const end = text.indexOf('\n\n', at - 1);
  const headers = text.slice(at, end === -1 ? undefined : end);
  const author = /^author (.*)$/m.exec(headers)?.[1] ?? '';
  const committer = /^committer (.*)$/m.exec(headers)?.[1] ?? '';
  return {
    tree: idOf(text.slice(5, 45)),
    parents,
    author: { name: utf8(/^(.*?) ?</.exec(author)?.[1] ?? author), time: timeOf(author) },
    committer: { time: timeOf(committer) },
    message: end === -1 ? '' : utf8(text.slice(end + 2)),
  };
}

/** After the last `>`, as git's split_ident_line finds it. Without a zone there is no time. */
function timeOf(line: string): GitTime | null {
  const found = /^ *(\d+) +([+-]\d+)/.exec(line.slice(line.lastIndexOf('>') + 1));
  return found === null ? null : { seconds: Number(found[1]), zone: Number(found[2]) };
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

export interface TreeEntry {
  /** Octal, as git writes it without leading zero: 100644, 100755, 120000, 160000, 40000. */
  readonly mode: string;
  readonly name: string;
  readonly id: string;
}

export function* treeEntries(content: Buffer): Generator<TreeEntry> {
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(32, at);
    const end = space === -1 ? -1 : content.indexOf(0, space);
    if (end === -1 || end + 21 > content.length || space - at > 7 || end === space + 1) {
      throw malformed('expected a tree of git, found other content');
    }
    yield {
      mode: content.toString('latin1', at, space),
      name: content.toString('utf8', space + 1, end),
      id: content.toString('latin1', end + 1, end + 21),
    };
    at = end + 21;
  }
}

/** What an annotated tag points at, which may be another tag. */
export function tagTarget(content: Buffer): string {
  const found = /^object ([0-9a-f]{40})\n/.exec(content.toString('latin1', 0, 64))?.[1];
  if (found === undefined) throw malformed('expected an annotated tag with an object, found other content');
  return idOf(found);
}
