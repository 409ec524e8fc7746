import fs from 'node:fs';
import path from 'node:path';

export interface RotatingFileOptions {
  /** Made with mode 0700 when it is not there. */
  readonly directory: string;
  /** `events` and `.jsonl` give `events.jsonl`, `events.1.jsonl` (the newest full one), `events.2.jsonl`, … */
  readonly name: string;
  readonly extension: string;
  /** A file that would grow beyond this many bytes is closed and a new one begun; one longer piece still fits into an empty file. */
  readonly maxBytes: number;
  /** How many files there may be, the open one included. At least 1. */
  readonly maxFiles: number;
  /** Asked of the oldest file beyond `maxFiles`, before it is removed. */
  readonly mayDrop?: (file: string, count: number) => boolean;
  /** Also makes new files and the renames of a rotation durable. Default false. */
  readonly durable?: boolean;
}

/** Appending in pieces that stay whole; every call is synchronous. Used by one process at a time. */
export interface RotatingFile {
  /**
   * Writes all of it or nothing, after rotating when it would not fit. Throws what the file system says (ENOSPC, EACCES).
   * `rotated` is true when it is the first piece after a rotation.
   */
  append(piece: Uint8Array): { rotated: boolean };
  /** Makes everything appended so far durable (fdatasync). */
  sync(): void;
  /** Closes the file in use and begins a new one, even when there is room. */
  rotate(): void;
  /** Absolute paths, oldest first, the file in use last. */
  files(): string[];
  /** Bytes in the file in use. */
  size(): number;
  close(): void;
}

/** Numbers are shifted up on rotation, the highest first: a crash in between leaves a gap in them, never a wrong order. */
export function openRotatingFile(options: RotatingFileOptions): RotatingFile {
  const { directory, name, extension, maxBytes } = options;
  const maxFiles = Math.max(1, options.maxFiles);
  const current = path.join(directory, `${name}${extension}`);
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  let fd: number | null = openForAppend(current);
  let size = fs.fstatSync(fd).size;
  if (options.durable === true && size === 0) syncDirectory(directory);
  /** The file in use was numbered and no piece has gone into its successor yet. */
  let begun = false;
  /** Bytes of a piece that was cut short by a full disk and could not be taken back at once. */
  let torn = false;

  const numbered = (): { number: number; file: string }[] => listNumbered(directory, name, extension);

  const dropOldest = () => {
    const old = numbered();
    // The file in use, which is about to be numbered too, makes one more.
    while (old.length > 0 && old.length + 2 > maxFiles) {
      const oldest = old[0]!;
      if (options.mayDrop !== undefined && !options.mayDrop(oldest.file, old.length + 2)) return;
      fs.rmSync(oldest.file, { force: true });
      old.shift();
    }
  };

  const rotate = () => {
    if (fd !== null) {
      if (options.durable === true) fs.fdatasyncSync(fd);
      // Windows renames no open file.
      fs.closeSync(fd);
      fd = null;
    }
    if (fs.existsSync(current)) {
      if (maxFiles === 1 && (options.mayDrop === undefined || options.mayDrop(current, 2))) {
        fs.rmSync(current, { force: true });
      } else {
        dropOldest();
        for (const { number, file } of numbered()) {
          fs.renameSync(file, path.join(directory, `${name}.${number + 1}${extension}`));
        }
        fs.renameSync(current, path.join(directory, `${name}.1${extension}`));
      }
      begun = true;
    }
    fd = openForAppend(current);
    size = fs.fstatSync(fd).size;
    torn = false;
    if (options.durable === true) syncDirectory(directory);
  };

  const writeWhole = (piece: Uint8Array) => {
    if (fd === null) {
      fd = openForAppend(current);
      size = fs.fstatSync(fd).size;
    }
    if (torn) {
      fs.ftruncateSync(fd, size);
      torn = false;
    }
    let written = 0;
    try {
      while (written < piece.length) written += fs.writeSync(fd, piece, written);
    } catch (error) {
      torn = written > 0;
      if (torn) {
        fs.ftruncateSync(fd, size);
        torn = false;
      }
      throw error;
    }
    size += piece.length;
  };

  return {
    append(piece) {
      if (size > 0 && size + piece.length > maxBytes) rotate();
      writeWhole(piece);
      const rotated = begun;
      begun = false;
      return { rotated };
    },
    sync() {
      if (fd !== null) fs.fdatasyncSync(fd);
    },
    rotate,
    files: () => [
      ...numbered().map((entry) => entry.file),
      // A rotation that ran out of disk half-way leaves none in use until the next piece.
      ...(fs.existsSync(current) ? [current] : []),
    ],
    size: () => size,
    close() {
      if (fd !== null) fs.closeSync(fd);
      fd = null;
    },
  };
}

/** The numbered files of a rotation, the oldest (highest number) first. */
export function listNumbered(
  directory: string,
  name: string,
  extension: string,
): { number: number; file: string }[] {
  const found: { number: number; file: string }[] = [];
  for (const entry of fs.readdirSync(directory)) {
    if (!entry.startsWith(`${name}.`) || !entry.endsWith(extension)) continue;
    const digits = entry.slice(name.length + 1, -extension.length);
    if (/^[1-9]\d{0,8}$/.test(digits))
      found.push({ number: Number(digits), file: path.join(directory, entry) });
  }
  return found.sort((a, b) => b.number - a.number);
}

function openForAppend(file: string): number {
  const { O_APPEND, O_CREAT, O_WRONLY } = fs.constants;
  // Absent on Windows; elsewhere a planted link must not lead the writing away.
  const noFollow = fs.constants.O_NOFOLLOW ?? 0;
  const fd = fs.openSync(file, O_APPEND | O_CREAT | O_WRONLY | noFollow, 0o600);
  // An older file may be readable by others.
  if (process.platform !== 'win32') fs.fchmodSync(fd, 0o600);
  return fd;
}

function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const fd = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
