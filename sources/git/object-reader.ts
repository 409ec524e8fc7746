import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { GitFault } from './git-fault.ts';
import { hexOf, objectId } from './git-objects.ts';
import { applyDelta, deltaSizes } from './pack-delta.ts';
import { inflateEntry, type ObjectKind, type PackEntry, readEntryHeader } from './pack-entry.ts';
import { type PackIndex, readPackIndex } from './pack-index.ts';

export interface GitObject {
  readonly kind: ObjectKind;
  readonly content: Buffer;
}

export interface OpenPack {
  /** Without `.pack`. */
  readonly path: string;
  readonly index: PackIndex;
  readonly bytes: number;
  readonly modifiedMs: number;
  /** The entry as it lies there: header and compressed data, at least; `exact` is its end when that is known. */
  slice(offset: number, length: number): Buffer;
}

/** Reads objects of bare repositories by id. Holds indexes and open files until it is closed. */
export interface ObjectReader {
  has(id: string): boolean;
  /**
   * The object, checked against its id, or null when it is not there. `maxBytes` is looked at before anything is inflated
   * (`source_too_large`). Throws `cache_damaged` when what lies there is not that object.
   */
  read(id: string, maxBytes: number): GitObject | null;
  packs(): readonly OpenPack[];
  close(): void;
}

const MAX_CHAIN = 4_096;

/** `repositories`: git directories, the one looked into first before the others. Those that do not exist are empty. */
export function openObjects(repositories: readonly string[]): ObjectReader {
  const packs: (OpenPack & { close(): void })[] = [];
  const close = () => {
    for (const pack of packs) pack.close();
  };
  try {
    for (const repository of repositories) packs.push(...openPacks(join(repository, 'objects', 'pack')));
  } catch (error) {
    close();
    throw error;
  }
  let recent = packs[0];

  const find = (id: string): { pack: OpenPack; offset: number } | null => {
    const inRecent = recent?.index.offsetOf(id) ?? null;
    if (recent !== undefined && inRecent !== null) return { pack: recent, offset: inRecent };
    for (const pack of packs) {
      const offset = pack.index.offsetOf(id);
      if (offset === null) continue;
      recent = pack;
      return { pack, offset };
    }
    return null;
  };
  const loosePath = (id: string) => {
    const hex = hexOf(id);
    const paths = repositories.map((repository) =>
      join(repository, 'objects', hex.slice(0, 2), hex.slice(2)),
    );
    return paths.find((path) => existsSync(path)) ?? null;
  };
  const readRaw = (id: string, maxBytes: number): GitObject | null => {
    const packed = find(id);
    if (packed !== null) return readPacked(packed.pack, packed.offset, maxBytes, find);
    const loose = loosePath(id);
    return loose === null ? null : readLoose(loose, maxBytes);
  };

  return {
    packs: () => packs,
    close,
    has: (id) => find(id) !== null || loosePath(id) !== null,
    read(id, maxBytes) {
      let found: GitObject | null;
      try {
        found = readRaw(id, maxBytes);
      } catch (error) {
        if (error instanceof GitFault && error.code === 'source_malformed') throw damaged(id, error);
        throw error;
      }
      if (found !== null && objectId(found.kind, found.content) !== id) throw damaged(id);
      return found;
    },
  };
}

function damaged(id: string, cause?: unknown): GitFault {
  return new GitFault(
    'cache_damaged',
    `git cache: expected object ${hexOf(id)}, found bytes that are not it`,
    { cause },
  );
}

function openPacks(folder: string): (OpenPack & { close(): void })[] {
  if (!existsSync(folder)) return [];
  const found = readdirSync(folder)
    .filter((name) => name.endsWith('.idx') && existsSync(join(folder, name.replace(/idx$/, 'pack'))))
    .map((name) => {
      const path = join(folder, name.slice(0, -4));
      return { path, modifiedMs: statSync(`${path}.pack`).mtimeMs };
    });
  // What is asked for is most often in the newest.
  found.sort((a, b) => b.modifiedMs - a.modifiedMs);
  return found.map(({ path, modifiedMs }) => {
    const index = readPackIndex(readFileSync(`${path}.idx`), `${path}.idx`);
    const file = openSync(`${path}.pack`, 'r');
    const bytes = fstatSync(file).size;
    return {
      path,
      index,
      bytes,
      modifiedMs,
      slice(offset, length) {
        const wanted = Math.max(0, Math.min(length, bytes - offset));
        const buffer = Buffer.allocUnsafe(wanted);
        return buffer.subarray(0, readSync(file, buffer, 0, wanted, offset));
      },
      close: () => closeSync(file),
    };
  });
}

/** Header bytes of an entry: type and size (at most 8), base (at most 20). */
const HEADER_BYTES = 32;

/** An entry's header and its inflated data. Reads as much as zlib's own bound says, and more only when that was not enough. */
export function readEntry(
  pack: OpenPack,
  offset: number,
  maxBytes: number,
): { entry: PackEntry; content: Buffer; bytes: Buffer; consumed: number } {
  const { size } = readEntryHeader(pack.slice(offset, HEADER_BYTES), 0, offset);
  let length = HEADER_BYTES + size + (size >> 10) + 64;
  for (;;) {
    const bytes = pack.slice(offset, length);
    const entry = readEntryHeader(bytes, 0, offset);
    try {
      return { entry, bytes, ...inflateEntry(bytes, entry.dataAt, size, maxBytes) };
    } catch (error) {
      if (bytes.length < length || size > maxBytes) throw error;
      length *= 2;
    }
  }
}

function readPacked(
  pack: OpenPack,
  offset: number,
  maxBytes: number,
  find: (id: string) => { pack: OpenPack; offset: number } | null,
): GitObject {
  const deltas: Buffer[] = [];
  let at = { pack, offset };
  for (;;) {
    // A delta's own size says nothing about its object: the object's is checked as soon as the first delta is there.
    const { entry, content } = readEntry(at.pack, at.offset, maxBytes);
    if (entry.kind !== 'offset-delta' && entry.kind !== 'ref-delta') {
      let object = content;
      for (const delta of deltas.reverse()) object = applyDelta(object, delta, Number.MAX_SAFE_INTEGER);
      return { kind: entry.kind, content: object };
    }
    const { base, result } = deltaSizes(content);
    if (deltas.length === 0 && result > maxBytes) {
      throw new GitFault(
        'source_too_large',
        `expected a git object of at most ${maxBytes} bytes, found ${result}`,
      );
    }
    deltas.push(content);
    if (deltas.length > MAX_CHAIN) {
      throw new GitFault('cache_damaged', `git cache: expected at most ${MAX_CHAIN} deltas, found more`);
    }
    const next =
      entry.kind === 'offset-delta'
        ? { pack: at.pack, offset: entry.baseOffset as number }
        : find(entry.baseId as string);
    if (next === null)
      throw new GitFault('cache_damaged', 'git cache: expected the base of a delta, found none');
    at = next;
    // A base may be larger than what is made of it, though never beyond what was checked when it was kept.
    maxBytes = Math.max(maxBytes, base);
  }
}

function readLoose(path: string, maxBytes: number): GitObject {
  const file = readFileSync(path);
  let content: Buffer;
  try {
    content = inflateSync(file, { maxOutputLength: maxBytes + HEADER_BYTES });
  } catch (cause) {
    throw new GitFault('cache_damaged', `${path}: expected a git object of at most ${maxBytes} bytes`, {
      cause,
    });
  }
  const end = content.indexOf(0);
  const [kind = '', size = ''] = content.toString('latin1', 0, Math.max(0, end)).split(' ');
  const body = content.subarray(end + 1);
  if (!/^(?:commit|tree|blob|tag)$/.test(kind) || Number(size) !== body.length) {
    throw new GitFault('cache_damaged', `${path}: expected a git object, found other bytes`);
  }
  return { kind: kind as ObjectKind, content: body };
}
