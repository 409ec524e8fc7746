import { type FileHandle, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OutputChunk, OutputStream } from './run-files.ts';
import { openRunLog } from './run-log-file.ts';

const CHUNK_BYTES = 64 * 1024;
const FOLLOW_EVERY_MS = 100;
const OPEN_TRIES = 10;

/** How far a stream has been shown: in the file of that inode, which rotation renames. */
interface Position {
  slot: number;
  inode: number | null;
  at: number;
  shown: number;
}

/**
 * What the processes of a service print: the newest one's output as far as it is kept, and with `follow` what comes, from the
 * next process too. What is rotated away between two looks is left out. `offset` counts what was shown of a process.
 */
export async function* followServiceOutput(
  folder: string,
  /** The folder begun last, null while there is none. */
  latest: () => number | null,
  { follow, streams }: { readonly follow: boolean; readonly streams: readonly OutputStream[] },
  signal: AbortSignal,
): AsyncGenerator<OutputChunk> {
  const positions = new Map<OutputStream, Position>();
  for (;;) {
    const slot = latest();
    for (const stream of slot === null ? [] : streams) {
      const position = positions.get(stream) ?? begin(slot as number);
      positions.set(stream, position);
      yield* shownNow(folder, stream, position);
      if (position.slot === slot) continue;
      Object.assign(position, begin(slot as number));
      yield* shownNow(folder, stream, position);
    }
    if (!follow || signal.aborted) return;
    await sleep(FOLLOW_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

const begin = (slot: number): Position => ({ slot, inode: null, at: 0, shown: 0 });

async function* shownNow(
  folder: string,
  stream: OutputStream,
  position: Position,
): AsyncGenerator<OutputChunk> {
  const files = await openFiles(join(folder, String(position.slot)), stream);
  try {
    const known = files.findIndex(({ inode }) => inode === position.inode);
    for (const { inode, file } of files.slice(Math.max(0, known))) {
      if (inode !== position.inode) Object.assign(position, { inode, at: 0 });
      for (;;) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, position.at);
        if (bytesRead === 0) break;
        const { slot: attempt, shown: offset } = position;
        position.at += bytesRead;
        position.shown += bytesRead;
        yield { attempt, stream, offset, data: buffer.subarray(0, bytesRead) };
      }
    }
  } finally {
    for (const { file } of files) await file.close();
  }
}

interface OpenFile {
  readonly inode: number;
  readonly file: FileHandle;
}

/** The full file and the one that grows, oldest first, as they were at one moment: a rotation between the two is looked past. */
async function openFiles(folder: string, stream: OutputStream): Promise<OpenFile[]> {
  const full = join(folder, `${stream}.1.log`);
  for (let tries = 1; ; tries += 1) {
    const files: OpenFile[] = [];
    for (const path of [full, join(folder, `${stream}.log`)]) {
      const file = await openRunLog(path).catch(() => null);
      if (file !== null) files.push({ inode: (await file.stat()).ino, file });
    }
    const now = await stat(full).catch(() => null);
    const same = now === null ? files.length < 2 : files.length === 2 && files[0]?.inode === now.ino;
    if (same || tries === OPEN_TRIES) return files;
    for (const { file } of files) await file.close();
  }
}
