import { close, closeSync, open, openSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';

/** A file that comes in one piece up to this size is written at once: three calls are quicker than three turns of the loop. */
const SMALL_BYTES = 16 * 1024;
/** Taken and not yet written, at most, before `room` makes the reader wait. */
const WAITING_MAX_BYTES = 6 * 1024 * 1024;
const OPEN_MAX = 32;

const openFile = promisify(open);
const closeFile = promisify(close);
const writePiece = promisify(write);

/** Writes the files of a tree, one after the other as they come and several at the same time. */
export interface FileWriter {
  /** Begins a file that must not be there; `whole` is its size. What fails is thrown by the next call of any kind. */
  begin(path: string, mode: number, size: number, onWritten: () => void): void;
  /** A piece of the file begun last. The bytes must stay as they are. */
  piece(bytes: Uint8Array): void;
  end(): void;
  /** Undefined when more may come; else when it may. */
  room(): Promise<void> | undefined;
  /** Everything is written and closed; throws the first failure. */
  settle(): Promise<void>;
  /** Nothing is open any more; what failed is not said. */
  abandon(): Promise<void>;
}

interface OpenFile {
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  readonly onWritten: () => void;
  /** Null while nothing of it was handed to the thread pool. */
  work: Promise<number> | null;
  written: boolean;
}

/**
 * Larger files are written by the thread pool, while the archive is inflated and hashed here: most of the time of unpacking is
 * the kernel's, finding pages for what is written, and that can be on two processors at once.
 */
export function createFileWriter(): FileWriter {
  const working = new Set<Promise<unknown>>();
  let current: OpenFile | null = null;
  let waitingBytes = 0;
  let failure: { readonly error: unknown } | null = null;

  const check = () => {
    if (failure !== null) throw failure.error;
  };
  const enqueue = (file: OpenFile, bytes: Uint8Array) => {
    waitingBytes += bytes.length;
    file.work = (file.work ?? openFile(file.path, 'wx', file.mode)).then(async (fd) => {
      try {
        if (failure === null) await writeAll(fd, bytes);
      } catch (error) {
        failure ??= { error };
      }
      waitingBytes -= bytes.length;
      return fd;
    });
    // It may fail to open while more of it comes.
    file.work.catch((error: unknown) => {
      failure ??= { error };
    });
  };
  const finish = (file: OpenFile, work: Promise<number>) => {
    const closed = async () => {
      try {
        await closeFile(await work);
        if (failure === null) file.onWritten();
      } catch (error) {
        failure ??= { error };
      }
    };
    const done: Promise<void> = closed().finally(() => working.delete(done));
    working.add(done);
  };
  const settle = async () => {
    while (working.size > 0) await Promise.all(working);
  };

  return {
    begin(path, mode, size, onWritten) {
      check();
      current = { path, mode, size, onWritten, work: null, written: false };
    },
    piece(bytes) {
      check();
      if (current === null || bytes.length === 0) return;
      if (bytes.length === current.size && bytes.length <= SMALL_BYTES) {
        writeWhole(current, bytes);
        current.written = true;
      } else {
        enqueue(current, bytes);
      }
    },
    end() {
      check();
      const file = current;
      current = null;
      if (file === null) return;
      if (file.work !== null) return finish(file, file.work);
      if (!file.written) writeWhole(file, new Uint8Array(0));
      file.onWritten();
    },
    room() {
      check();
      if (waitingBytes <= WAITING_MAX_BYTES && working.size <= OPEN_MAX) return undefined;
      return (async () => {
        while (working.size > 0 && (waitingBytes > WAITING_MAX_BYTES / 2 || working.size > OPEN_MAX / 2)) {
          await Promise.race(working);
        }
        // One file larger than all that may wait.
        if (waitingBytes > WAITING_MAX_BYTES) await current?.work;
        check();
      })();
    },
    async settle() {
      await settle();
      check();
    },
    async abandon() {
      const file = current;
      current = null;
      failure ??= { error: new Error('expected a whole archive, found that its reading ended') };
      if (file?.work != null) finish(file, file.work);
      await settle();
    },
  };
}

function writeWhole(file: OpenFile, bytes: Uint8Array): void {
  const fd = openSync(file.path, 'wx', file.mode);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
  } finally {
    closeSync(fd);
  }
}

/** A disk that fills takes part of a write and says so only at the next. */
async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await writePiece(fd, bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}
