import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import { GitFault } from './git-fault.ts';

/** A ref of the kept repository, ids in hex. `peeled`: what an annotated tag leads to, when the file says so; else null. */
export interface KeptRef {
  readonly oid: string;
  readonly peeled: string | null;
}

const PACKED = 'packed-refs';
const MAX_REF_FILE = 64 * 1_024 * 1_024;

/** All refs under `refs/`: the packed ones, and over them the loose ones that git itself may have written (gitrepository-layout). */
export function readRefs(repository: string): Map<string, KeptRef> {
  const refs = new Map<string, KeptRef>();
  let last = '';
  for (const line of readIfThere(join(repository, PACKED)).split('\n')) {
    if (line.startsWith('^')) {
      const ref = refs.get(last);
      if (ref !== undefined) refs.set(last, { oid: ref.oid, peeled: line.slice(1, 41) });
    } else if (/^[0-9a-f]{40} refs\//.test(line)) {
      last = line.slice(41);
      refs.set(last, { oid: line.slice(0, 40), peeled: null });
    }
  }
  for (const name of looseRefs(repository)) {
    const oid = readIfThere(join(repository, name)).trim();
    if (/^[0-9a-f]{40}$/.test(oid)) refs.set(name, { oid, peeled: null });
  }
  return refs;
}

/**
 * All refs at once, in one atomic file: a reader sees the old ones or the new ones. Loose files of the same or of removed names
 * would win over it, so they go right after.
 */
export async function writeRefs(repository: string, refs: ReadonlyMap<string, KeptRef>): Promise<void> {
  const lines = ['# pack-refs with: peeled fully-peeled sorted '];
  for (const [name, { oid, peeled }] of [...refs].sort(([a], [b]) => byBytes(a, b))) {
    lines.push(`${oid} ${name}`);
    if (peeled !== null && peeled !== oid) lines.push(`^${peeled}`);
  }
  await writeFileAtomically(join(repository, PACKED), `${lines.join('\n')}\n`);
  for (const name of looseRefs(repository)) await rm(join(repository, name), { force: true });
}

/** Commits that are kept without their parents, in hex. */
export function readShallow(repository: string): Set<string> {
  const lines = readIfThere(join(repository, 'shallow')).split('\n');
  return new Set(lines.filter((line) => /^[0-9a-f]{40}$/.test(line)));
}

/** An empty set removes the file: git would take an empty one for "not shallow" too. */
export async function writeShallow(repository: string, shallow: ReadonlySet<string>): Promise<void> {
  const path = join(repository, 'shallow');
  if (shallow.size === 0) await rm(path, { force: true });
  else await writeFileAtomically(path, `${[...shallow].sort().join('\n')}\n`);
}

/** Whether git would take the name (git-check-ref-format), so that none leaves `refs/tags/` or breaks packed-refs. */
export function isRefName(name: string): boolean {
  if (name.length > 1_024 || name.includes('..') || name.includes('@{') || /[/.]$/.test(name)) return false;
  // oxlint-disable-next-line no-control-regex -- git forbids exactly these in names
  if (/[\u0000-\u0020\u007f~^:?*[\\\ufffd]/.test(name)) return false;
  return name.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'));
}

function looseRefs(repository: string): string[] {
  const folder = join(repository, 'refs');
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(repository.length + 1)
        .replaceAll('\\', '/'),
    );
}

function readIfThere(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
  if (bytes.length > MAX_REF_FILE) {
    throw new GitFault('cache_damaged', `${path}: expected at most ${MAX_REF_FILE} bytes, found more`);
  }
  return bytes.toString('utf8');
}

/** The order of names in UTF-8, without making bytes of them: 30,000 names are compared half a million times. */
function byBytes(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  let at = 0;
  while (at < shorter && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  if (at === shorter) return a.length - b.length;
  return rank(a.charCodeAt(at)) - rank(b.charCodeAt(at));
}

/** Halves of a pair stand for code points above all others, and below some of them as UTF-16. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit;
}
