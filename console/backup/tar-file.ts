import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { BLOCK, headerBlocks, paddingOf, readHeader, readPax, type TarMember } from './tar-header.ts';

const CHUNK_BYTES = 1024 * 1024;
const PAX_MAX_BYTES = 64 * 1024;

export interface TarWriter {
  /**
   * Adds as many bytes of the file as it has now; what is appended meanwhile is left out. Answers the SHA-256 of what was
   * added, or null when there is no such file (any more).
   */
  add(path: string, file: string): Promise<(TarMember & { readonly sha256: string }) | null>;
  /** Writes the end, and sees that everything is on the disk. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** A new archive at `file` (0600), which must not be there. */
export async function createTar(file: string, at: Date, signal: AbortSignal): Promise<TarWriter> {
  const archive = await open(file, 'wx', 0o600);
  const seconds = Math.floor(at.getTime() / 1_000);
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  return {
    async add(path, source) {
      const handle = await openIfThere(source);
      if (handle === null) return null;
      try {
        const { size } = await handle.stat();
        await archive.writeFile(headerBlocks({ path, size }, seconds));
        const hash = createHash('sha256');
        for (let left = size; left > 0; ) {
          signal.throwIfAborted();
          const { bytesRead } = await handle.read(buffer, 0, Math.min(left, buffer.length));
          if (bytesRead === 0)
            throw new Error(`expected ${size} bytes in ${source}, found ${left} fewer: it was cut short`);
          const chunk = buffer.subarray(0, bytesRead);
          hash.update(chunk);
          await archive.writeFile(chunk);
          left -= bytesRead;
        }
        await archive.writeFile(Buffer.alloc(paddingOf(size)));
        return { path, size, sha256: hash.digest('hex') };
      } finally {
        await handle.close();
      }
    },
    async finish() {
      await archive.writeFile(Buffer.alloc(2 * BLOCK));
      await archive.sync();
    },
    close: () => archive.close(),
  };
}

/** The files of an archive in their order. `content` must be read to its end, or not at all, before the next one is asked for. */
export async function* readTar(
  file: string,
  signal: AbortSignal,
): AsyncGenerator<TarMember & { readonly content: AsyncGenerator<Buffer, void> }> {
  const archive = await open(file, 'r');
  try {
    const { size: total } = await archive.stat();
    const read = async (at: number, length: number): Promise<Buffer> => {
      signal.throwIfAborted();
      const bytes = Buffer.allocUnsafe(length);
      const { bytesRead } = await archive.read(bytes, 0, length, at);
      if (bytesRead < length) throw new Error(`expected ${file} to be whole, found it cut short`);
      return bytes;
    };
    let at = 0;
    let said = new Map<string, string>();
    for (;;) {
      if (at + BLOCK > total) throw new Error(`expected ${file} to be whole, found it cut short`);
      const header = readHeader(await read(at, BLOCK));
      if (header === null) return;
      at += BLOCK;
      const { type } = header;
      const size = Number(said.get('size') ?? header.size);
      if (!Number.isSafeInteger(size) || size < 0 || at + size > total)
        throw new Error(`expected ${file} to be whole, found it cut short`);
      if (type === 'x') {
        if (header.size > PAX_MAX_BYTES)
          throw new Error(`expected a backup in ${file}, found a header of ${header.size} bytes`);
        said = readPax(await read(at, header.size));
        at += header.size + paddingOf(header.size);
        continue;
      }
      const path = said.get('path') ?? header.path;
      if (type !== '0')
        throw new Error(
          `expected files alone in ${file}, found ${JSON.stringify(path.slice(0, 80))} of type ${type}`,
        );
      const from = at;
      const content = async function* () {
        for (let done = 0; done < size; ) {
          const chunk = await read(from + done, Math.min(CHUNK_BYTES, size - done));
          done += chunk.length;
          yield chunk;
        }
      };
      yield { path, size, content: content() };
      at += size + paddingOf(size);
      said = new Map();
    }
  } finally {
    await archive.close();
  }
}

async function openIfThere(file: string): Promise<FileHandle | null> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
