import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rename, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock, PartialDownload } from '../reconciler/ports.ts';
import { namingDiskFull } from './io-setback.ts';

/** Written together: the network brings far smaller pieces. */
const WRITE_BYTES = 512 * 1024;
/** Handed to the disk while more comes, so that the last fsync finds little left to do. */
const SYNC_BYTES = 16 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
/**
 * So little is fetched again as quickly as it is made durable. Unpacking hashes the bytes once more: after a power cut a download
 * that was not written out is dropped, never believed.
 */
const SMALL_BYTES = 1024 * 1024;

/** `<sha256>.part.json`: what the bytes in the `.part` came with. */
export const Sidecar = z.object({ format: z.literal(1), validator: z.string().nullable() });

/** A `.part` that is open for reading and writing. */
export interface Part {
  readonly handle: FileHandle;
  /** Bytes that may be kept. */
  readonly offset: number;
  readonly validator: string | null;
}

/**
 * Crash protocol 2: counts and hashes what comes, writes it in large pieces, and ends as `<sha256>.bundle`, durable, or not at
 * all. Every failure to write is thrown as the system's error, a full disk as `DiskFullError`. `onClosed` is called once.
 */
export function createPartialDownload(
  options: Part & { staging: string; sha256: string; clock: Clock; onClosed: () => void },
): PartialDownload {
  const { handle, staging, sha256, clock, onClosed } = options;
  const path = join(staging, `${sha256}.part`);
  const sidecar = `${path}.json`;
  let validator = options.validator;
  let position = options.offset;
  /** What was there before must be hashed before the first new byte. */
  let digest: Hash | null = position === 0 ? createHash('sha256') : null;
  let buffered: Buffer[] = [];
  let bufferedBytes = 0;
  let flushedBytes = position;
  let flushing: Promise<void> = Promise.resolve();
  let syncing: Promise<void> | null = null;
  let unsynced = 0;
  let failure: { error: unknown } | null = null;
  let closed = false;

  const assertOpen = () => {
    if (closed) throw new Error(`expected an open download of ${sha256}, found a closed one`);
  };
  const hashExisting = async () => {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (let at = 0; at < position; ) {
      const { bytesRead } = await handle.read(buffer, 0, Math.min(READ_BYTES, position - at), at);
      if (bytesRead === 0) throw new Error(`expected ${position} bytes in ${path}, found ${at}`);
      hash.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    return hash;
  };
  const flush = async () => {
    await flushing;
    if (failure !== null) throw failure.error;
    const pieces = buffered;
    const length = bufferedBytes;
    const at = flushedBytes;
    buffered = [];
    bufferedBytes = 0;
    if (length === 0) return;
    flushedBytes += length;
    flushing = writeAll(handle, pieces, length, at).catch((error: unknown) => {
      failure ??= { error };
    });
    unsynced += length;
    if (unsynced < SYNC_BYTES || syncing !== null) return;
    unsynced = 0;
    // An error shows again at the last sync, or here first.
    syncing = handle
      .datasync()
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => {
        syncing = null;
      });
  };
  const settle = async () => {
    await flush();
    await flushing;
    await syncing;
    if (failure !== null) throw failure.error;
  };
  const close = async () => {
    if (closed) return;
    closed = true;
    await flushing;
    await syncing;
    await handle.close().catch(() => undefined);
    onClosed();
  };

  return {
    sha256,
    get offset() {
      return position;
    },
    get validator() {
      return validator;
    },
    async restart(next) {
      assertOpen();
      try {
        buffered = [];
        bufferedBytes = 0;
        await settle();
        if (flushedBytes > 0) await handle.truncate(0);
        position = 0;
        flushedBytes = 0;
        digest = createHash('sha256');
        validator = next;
        await rm(sidecar, { force: true });
        if (next !== null) await writeSidecar(sidecar, next);
      } catch (error) {
        throw namingDiskFull(error, path);
      }
    },
    async write(chunk) {
      assertOpen();
      try {
        digest ??= await hashExisting();
        digest.update(chunk);
        // Copied: the caller may use its buffer again.
        buffered.push(Buffer.from(chunk));
        bufferedBytes += chunk.length;
        position += chunk.length;
        if (bufferedBytes >= WRITE_BYTES) await flush();
      } catch (error) {
        throw namingDiskFull(error, path);
      }
    },
    async finish() {
      assertOpen();
      try {
        digest ??= await hashExisting();
        await settle();
        const found = digest.digest('hex');
        if (found !== sha256) {
          await close();
          await rm(path, { force: true });
          await rm(sidecar, { force: true });
          return { kind: 'mismatch', found, bytes: position };
        }
        if (position > SMALL_BYTES) await handle.sync();
        const now = clock.now();
        await handle.utimes(now, now);
        await close();
        await rename(path, join(staging, `${sha256}.bundle`));
        if (validator !== null) await rm(sidecar, { force: true });
        // Without fsync of the folder: a rename that is lost costs a second look at the bytes, never a wrong version.
        return { kind: 'verified', bytes: position };
      } catch (error) {
        await close();
        throw namingDiskFull(error, path);
      }
    },
    async keep() {
      if (closed) return;
      // What did not reach the disk is fetched again; what did is a beginning all the same.
      await settle().catch(() => undefined);
      await close();
      const useless = validator === null || position === 0;
      if (useless) {
        await rm(path, { force: true });
        await rm(sidecar, { force: true });
      } else {
        await utimes(path, clock.now(), clock.now()).catch(() => undefined);
      }
    },
  };
}

async function writeSidecar(path: string, validator: string): Promise<void> {
  const handle = await open(path, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify({ format: 1, validator }));
  } finally {
    await handle.close();
  }
}

/** A disk that fills takes part of a write and says so only at the next. */
async function writeAll(
  handle: FileHandle,
  pieces: Buffer[],
  length: number,
  position: number,
): Promise<void> {
  const { bytesWritten } = await handle.writev(pieces, position);
  if (bytesWritten === length) return;
  const rest = Buffer.concat(pieces).subarray(bytesWritten);
  for (let at = 0; at < rest.length; ) {
    const wrote = await handle.write(rest, at, rest.length - at, position + bytesWritten + at);
    at += wrote.bytesWritten;
  }
}
