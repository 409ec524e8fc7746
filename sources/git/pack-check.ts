import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { GitBudgets } from './budgets.ts';
import { GitFault, malformed } from './git-fault.ts';
import { type GitTime, hexOf, objectId, parseCommit, tagTarget, treeEntries } from './git-objects.ts';
import { applyDelta } from './pack-delta.ts';
import { inflateEntry, type ObjectKind, readEntryHeader } from './pack-entry.ts';
import type { IndexedObject } from './pack-index.ts';

export interface PackedCommit {
  readonly parents: readonly string[];
  readonly authored: GitTime | null;
}

export interface CheckedPack {
  /** SHA-1 of all that stands before it: the pack's last 20 bytes. */
  readonly checksum: Buffer;
  readonly objects: readonly IndexedObject[];
  readonly kinds: ReadonlyMap<string, ObjectKind>;
  readonly commits: ReadonlyMap<string, PackedCommit>;
  /** Trees, blobs and objects of tags that are named in this pack and are not in it. */
  readonly outside: ReadonlySet<string>;
}

type Limits = Pick<
  GitBudgets,
  'packObjects' | 'objectBytes' | 'inflatedBytes' | 'workBytes' | 'baseCacheBytes' | 'deltaDepth'
>;

const TRAILER = 20;
/** Larger objects are seldom a base again, and a few of them would push all others out. */
const CACHED_SHARE = 4;

/**
 * Goes through a pack once: every object inflated under its budget, every delta applied, every id computed, every object that
 * is named by another noted. Nothing of it is believed: throws `source_malformed` when it is not whole, `source_too_large` when a
 * budget is used up. `pulse` hears of the bytes of every object that is made, so that a
 * caller can look after its memory.
 * Source: gitformat-pack.
 */
export function checkPack(pack: Buffer, limits: Limits, pulse: (bytes: number) => void): CheckedPack {
  const { count, end, checksum } = readFrame(pack, limits.packObjects);
  const body = pack.subarray(0, end);
  const offsets = new Float64Array(count);
  const ids: (string | null)[] = Array.from({ length: count }, () => null);
  const kindAt: (ObjectKind | null)[] = Array.from({ length: count }, () => null);
  /** Index of the base of a delta, -1 for others and for bases not yet known. */
  const bases = new Int32Array(count).fill(-1);
  const depths = new Uint16Array(count);
  const crcs = new Uint32Array(count);
  const byOffset = new Map<number, number>();
  const byId = new Map<string, number>();
  /** Deltas that wait for a base: by its index, or by its id when only that is known. */
  const waiting = new Map<number | string, number[]>();
  const commits = new Map<string, PackedCommit>();
  /** What must be there for all to be whole. Parents are apart: at the border of a shallow history they may be missing. */
  const named = new Set<string>();
  const cache = createBaseCache(limits.baseCacheBytes);
  let inflated = 0;
  let work = 0;

  const inflate = (index: number, again: boolean) => {
    const entry = readEntryHeader(pack, offsets[index] as number);
    if (!again) inflated = within(inflated + entry.size, limits.inflatedBytes);
    work = within(work + entry.size, limits.workBytes);
    pulse(entry.size);
    return { entry, ...inflateEntry(body, entry.dataAt, entry.size, limits.objectBytes) };
  };
  const patch = (base: Buffer, delta: Buffer) => {
    const result = applyDelta(base, delta, limits.objectBytes);
    work = within(work + result.length, limits.workBytes);
    pulse(result.length);
    return result;
  };
  /** The content of a settled object, made again when it is no longer at hand. */
  const contentOf = (index: number): Buffer => {
    const chain: number[] = [];
    let at = index;
    let content = cache.get(at);
    while (content === undefined && (bases[at] as number) !== -1) {
      chain.push(at);
      at = bases[at] as number;
      content = cache.get(at);
    }
    content ??= inflate(at, true).content;
    for (const next of chain.reverse()) content = patch(content, inflate(next, true).content);
    cache.set(index, content);
    return content;
  };
  const settle = (first: number, kind: ObjectKind, content: Buffer) => {
    const id = objectId(kind, content);
    if (byId.has(id)) throw malformed(`expected every object of a pack once, found ${hexOf(id)} twice`);
    byId.set(id, first);
    ids[first] = id;
    kindAt[first] = kind;
    cache.set(first, content);
    if (kind === 'commit') {
      const { tree, parents, author } = parseCommit(content);
      commits.set(id, { parents, authored: author.time });
      named.add(tree);
    } else if (kind === 'tag') {
      named.add(tagTarget(content));
    } else if (kind === 'tree') {
      // A submodule's commit lies in another repository.
      for (const entry of treeEntries(content)) if (entry.mode !== '160000') named.add(entry.id);
    }
    return id;
  };
  /** Settles an object and, without recursion, all deltas that waited for it. */
  const settleAll = (first: number, kind: ObjectKind, content: Buffer) => {
    const ready = wake(first, settle(first, kind, content));
    for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
      const result = resolve(next, inflate(next, true).content);
      ready.push(...wake(next, settle(next, kind, result)));
    }
  };
  const wake = (index: number, id: string): number[] => {
    const woken = [...(waiting.get(index) ?? []), ...(waiting.get(id) ?? [])];
    waiting.delete(index);
    waiting.delete(id);
    for (const delta of woken) bases[delta] = index;
    return woken;
  };
  const resolve = (index: number, delta: Buffer): Buffer => {
    const base = bases[index] as number;
    const depth = (depths[base] as number) + 1;
    if (depth > limits.deltaDepth) {
      throw malformed(`expected at most ${limits.deltaDepth} deltas on one another, found more`);
    }
    depths[index] = depth;
    const result = patch(contentOf(base), delta);
    inflated = within(inflated + result.length, limits.inflatedBytes);
    return result;
  };
  const wait = (on: number | string, index: number) => {
    const others = waiting.get(on);
    if (others === undefined) waiting.set(on, [index]);
    else others.push(index);
  };

  let at = 12;
  for (let index = 0; index < count; index += 1) {
    offsets[index] = at;
    byOffset.set(at, index);
    const { entry, content, consumed } = inflate(index, false);
    const next = entry.dataAt + consumed;
    crcs[index] = crc32(pack.subarray(at, next));
    at = next;
    if (entry.kind === 'offset-delta' || entry.kind === 'ref-delta') {
      const base =
        entry.kind === 'ref-delta'
          ? byId.get(entry.baseId as string)
          : byOffset.get(entry.baseOffset as number);
      if (base === undefined && entry.kind === 'offset-delta') {
        throw malformed('expected a delta on an object of the pack, found one on something else');
      }
      const kind = base === undefined ? null : (kindAt[base] as ObjectKind | null);
      if (base === undefined) wait(entry.baseId as string, index);
      else if (kind === null) wait(base, index);
      else {
        bases[index] = base;
        settleAll(index, kind, resolve(index, content));
      }
    } else {
      settleAll(index, entry.kind, content);
    }
  }
  if (at !== end) throw malformed(`expected the pack to end after its ${count} objects, found more bytes`);
  if (waiting.size > 0) throw malformed('expected all deltas to have a base in the pack, found some without');

  const objects: IndexedObject[] = [];
  const kinds = new Map<string, ObjectKind>();
  for (let index = 0; index < count; index += 1) {
    const id = ids[index] as string;
    objects.push({ id, offset: offsets[index] as number, crc: crcs[index] as number });
    kinds.set(id, kindAt[index] as ObjectKind);
  }
  for (const id of kinds.keys()) named.delete(id);
  return { checksum, objects, kinds, commits, outside: named };
}

function readFrame(pack: Buffer, maxObjects: number) {
  const version = pack.length < 12 + TRAILER ? 0 : pack.readUInt32BE(4);
  if (pack.toString('latin1', 0, 4) !== 'PACK' || (version !== 2 && version !== 3)) {
    throw malformed(`expected a git pack, found ${pack.length} bytes that are none`);
  }
  const count = pack.readUInt32BE(8);
  if (count > maxObjects) {
    throw new GitFault(
      'source_too_large',
      `expected a pack of at most ${maxObjects} objects, found ${count}`,
    );
  }
  const end = pack.length - TRAILER;
  const checksum = pack.subarray(end);
  if (!(hash('sha1', pack.subarray(0, end), 'buffer') as Buffer).equals(checksum)) {
    throw malformed('expected a pack with its own checksum, found another one: it is damaged or cut off');
  }
  return { count, end, checksum };
}

function within(value: number, max: number): number {
  if (value <= max) return value;
  throw new GitFault(
    'source_too_large',
    `expected a pack that inflates to at most ${max} bytes, found more; a smaller history or smaller files are needed`,
  );
}

/** Settled contents by index, the least recently used dropped first. */
function createBaseCache(maxBytes: number) {
  const held = new Map<number, Buffer>();
  let bytes = 0;
  return {
    get(index: number): Buffer | undefined {
      const found = held.get(index);
      if (found === undefined) return undefined;
      held.delete(index);
      held.set(index, found);
      return found;
    },
    set(index: number, content: Buffer): void {
      if (content.length > maxBytes / CACHED_SHARE || held.has(index)) return;
      held.set(index, content);
      bytes += content.length;
      for (const [oldest, old] of held) {
        if (bytes <= maxBytes) return;
        held.delete(oldest);
        bytes -= old.length;
      }
    },
  };
}
