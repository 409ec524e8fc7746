import { ArchiveRefusal, quoteName } from './archive-refusal.ts';
import type { ArchiveRule } from './archive-rules.ts';
import { type PaxRecords, readPaxRecords } from './pax-records.ts';
import { BLOCK_BYTES, decodeName, readTarHeader, type TarHeader } from './tar-header.ts';

/** Extended attributes may make a pax header large; a long name needs some kilobytes. */
const META_MAX_BYTES = 1024 * 1024;

export interface TarMember {
  readonly kind: 'file' | 'directory';
  /** As the archive writes it; not yet looked at. */
  readonly name: string;
  readonly size: number;
  readonly executable: boolean;
}

/** What is told of an archive, in its order. Whatever a handler throws ends the reading. */
export interface TarHandler {
  member(member: TarMember): void;
  /** A piece of the file's content; the bytes are the chunk's own. Not called for empty files. */
  data(bytes: Uint8Array): void;
  /** The file is whole. */
  end(): void;
}

export interface TarReader {
  write(chunk: Uint8Array): void;
  /** Throws when the archive stops in the middle. */
  close(): void;
}

const REFUSED_TYPES: Record<string, readonly [ArchiveRule, string]> = {
  '1': ['hard_link', 'a hard link'],
  '2': ['symbolic_link', 'a symbolic link'],
  '3': ['device', 'a character device'],
  '4': ['device', 'a block device'],
  '6': ['fifo', 'a FIFO'],
  '7': ['contiguous_file', 'a contiguous file'],
  S: ['sparse_file', 'a sparse file'],
};

/**
 * Reads a tar stream given in pieces of any length (ustar, GNU, pax, v7) and refuses everything but files and directories.
 * Our own, because readers that repair what is malformed differ in what they make of it: node-tar, for one, drops an
 * extended header whose text is split by a chunk in the middle of a character, and goes on with the short name. Here what
 * is not exactly right is refused, and the pass that lists and the pass that writes read alike.
 */
export function createTarReader(handler: TarHandler): TarReader {
  const block = new Uint8Array(BLOCK_BYTES);
  let blockFilled = 0;
  let state: 'header' | 'content' | 'extension' | 'padding' | 'ended' = 'header';
  let left = 0;
  let padding = 0;
  let extension: { type: string; pieces: Uint8Array[] } | null = null;
  let records: PaxRecords | null = null;
  let longName: string | null = null;
  let longLink = false;

  const startMember = (header: TarHeader) => {
    const name = records?.path ?? longName ?? header.name();
    const refused = REFUSED_TYPES[header.type];
    if (refused !== undefined) {
      throw new ArchiveRefusal(
        refused[0],
        `expected only files and directories in the archive, found ${refused[1]}: ${quoteName(name)}`,
      );
    }
    if (header.type !== '0' && header.type !== '5') {
      throw new ArchiveRefusal(
        'unknown_type',
        `expected only files and directories in the archive, found a member of type ${quoteName(header.type)}: ${quoteName(name)}`,
      );
    }
    if (records?.path !== undefined && longName !== null) {
      throw new ArchiveRefusal('two_names', `expected one name for a member, found two: ${quoteName(name)}`);
    }
    const size = records?.size ?? header.size;
    // Before ustar a directory was a file whose name ends in a slash.
    const kind = header.type === '5' || name.endsWith('/') ? 'directory' : 'file';
    if (kind === 'directory' && size !== 0) {
      throw new ArchiveRefusal(
        'directory_content',
        `expected a directory without content, found ${quoteName(name)}`,
      );
    }
    records = null;
    longName = null;
    longLink = false;
    handler.member({ kind, name, size, executable: kind === 'file' && (header.mode & 0o111) !== 0 });
    if (kind === 'directory') return;
    if (size === 0) handler.end();
    else startBody('content', size);
  };

  const startBody = (next: 'content' | 'extension', size: number) => {
    state = next;
    left = size;
    padding = (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
  };

  const endBody = () => {
    if (state === 'content') handler.end();
    else endExtension();
    left = padding;
    state = padding === 0 ? 'header' : 'padding';
  };

  const startExtension = (header: TarHeader) => {
    if (header.size === 0 || header.size > META_MAX_BYTES) {
      throw new ArchiveRefusal(
        'extended_header_size',
        `expected an extended header of 1 to ${META_MAX_BYTES} bytes in the archive, found ${header.size}`,
      );
    }
    extension = { type: header.type, pieces: [] };
    startBody('extension', header.size);
  };

  const endExtension = () => {
    const { type, pieces } = extension ?? { type: '', pieces: [] };
    const bytes = Buffer.concat(pieces);
    extension = null;
    // Readers differ in whether a global header between a member and its own comes before or after it.
    const announced = records !== null || longName !== null || longLink;
    const again = { x: records !== null, L: longName !== null, K: longLink, g: announced }[type];
    if (again) {
      throw new ArchiveRefusal(
        'extended_header_order',
        'expected one extended header a member and the member behind it, found another extended header',
      );
    }
    if (type === 'g') readPaxRecords(bytes, 'global');
    else if (type === 'x') records = readPaxRecords(bytes, 'member');
    else if (type === 'K') longLink = true;
    else longName = decodeName(bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes);
  };

  const readBlock = (bytes: Uint8Array) => {
    const header = readTarHeader(bytes);
    if (header !== null) {
      if (['x', 'g', 'L', 'K'].includes(header.type)) startExtension(header);
      else startMember(header);
      return;
    }
    if (records !== null || longName !== null || longLink) throw cutShort();
    state = 'ended';
  };

  return {
    write(chunk) {
      let at = 0;
      while (at < chunk.length) {
        if (state === 'ended') {
          // Padding to a record is zeros; anything else is an archive behind the archive.
          if (chunk.subarray(at).some((byte) => byte !== 0)) {
            throw new ArchiveRefusal(
              'after_the_end',
              'expected nothing after the end of the archive, found more data',
            );
          }
          return;
        }
        if (state === 'header') {
          const piece = chunk.subarray(at, at + BLOCK_BYTES - blockFilled);
          at += piece.length;
          if (blockFilled === 0 && piece.length === BLOCK_BYTES) {
            readBlock(piece);
          } else {
            block.set(piece, blockFilled);
            blockFilled += piece.length;
            if (blockFilled < BLOCK_BYTES) return;
            blockFilled = 0;
            readBlock(block);
          }
          continue;
        }
        const piece = chunk.subarray(at, at + left);
        at += piece.length;
        left -= piece.length;
        if (state === 'content') handler.data(piece);
        else if (state === 'extension') extension?.pieces.push(piece.slice());
        if (left > 0) continue;
        if (state === 'padding') state = 'header';
        else endBody();
      }
    },
    close() {
      const between =
        state === 'header' && blockFilled === 0 && records === null && longName === null && !longLink;
      if (state !== 'ended' && !between) throw cutShort();
    },
  };
}

function cutShort(): ArchiveRefusal {
  return new ArchiveRefusal(
    'cut_short',
    'expected a whole archive, found one that stops in the middle of a member',
  );
}
