import { constants, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { UploadMetadata } from '../schemas/upload-metadata.ts';
import { syncDirectory } from '../system/atomic-file.ts';
import { notFound, RequestRefused } from './refusal.ts';
import type { Upload, UploadLimits, UploadMade, UploadRows } from './store/ports/uploads.ts';
import { digestOf, receive } from './upload-bytes.ts';

/** Files of agents: rows in the database, bytes in `<data>/uploads/<upload_id>`. How far one is, is the length of its file. */
export interface UploadStore {
  /** The upload of these bytes under this name for this run: the one that is there, else a new one. Throws RequestRefused. */
  create(
    agent: { readonly agent_id: string; readonly tenant: string },
    metadata: UploadMetadata,
    size: number,
    limits: UploadLimits,
    at: Date,
  ): Promise<{ readonly upload: Upload; readonly created: boolean }>;
  get(uploadId: string): Promise<Upload | null>;
  has(agentId: string, about: { sha256: string; name: string; run_id: string }): Promise<boolean>;
  /** Bytes that are here. Whoever was writing is cut off first. Finishes one whose last answer was never given; 423 while that takes long. */
  offset(upload: Upload, at: () => Date): Promise<number>;
  /** Adds to it from `offset`, as much as comes; durable when it resolves or throws. The new offset. */
  append(upload: Upload, offset: number, body: Readable, at: () => Date): Promise<number>;
  /** Newest first. */
  list(filter: { agent: string; limit: number }): Promise<(Upload & { readonly received: number | null })[]>;
  /** What belongs to this run. */
  ofRun(agentId: string, runId: string): Promise<Upload[]>;
  open(upload: Upload): Promise<FileHandle | null>;
  /** The row and its file; false, and nothing is touched, when there is no such upload. */
  remove(uploadId: string): Promise<boolean>;
  /** `hear` is told when one has arrived whole, or was taken away. Returns what ends it. */
  onChanged(hear: (upload: Upload) => void): () => void;
  outputsWanted(slug: string): Promise<boolean>;
  setOutputsWanted(slug: string, wanted: boolean): Promise<void>;
  /** Gives up what was not finished for `openDays`, and files without a row; how many. */
  prune(now: Date, openDays: number): Promise<number>;
}

const DAY_MS = 86_400_000;
const UPLOAD_ID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;
/** How long whoever asks waits for a file to be hashed before they are told to come back; an agent waits 30 s in all. */
const CHECK_WAIT_MS = 10_000;

export function createUploadStore(
  rows: UploadRows,
  folder: string,
  options: { readonly digest?: (path: string) => Promise<string>; readonly checkWaitMs?: number } = {},
): UploadStore {
  const { digest = digestOf, checkWaitMs = CHECK_WAIT_MS } = options;
  const { get } = rows;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  /** Who writes to an upload now: there is at most one, and the newest wins. */
  const writers = new Map<string, { readonly cut: () => void; readonly gone: Promise<void> }>();
  /** An id is all that may name a file here: what comes in an address may be a path. */
  const fileOf = (uploadId: string) => {
    if (UPLOAD_ID.test(uploadId)) return join(folder, uploadId);
    throw new Error(`expected the id of an upload, found ${JSON.stringify(uploadId.slice(0, 80))}`);
  };
  const takeOver = async (uploadId: string) => {
    for (let writer = writers.get(uploadId); writer !== undefined; writer = writers.get(uploadId)) {
      writer.cut();
      await writer.gone;
    }
  };

  const listeners = new Set<(upload: Upload) => void>();
  const changed = (upload: Upload) => {
    for (const hear of listeners) hear(upload);
  };

  const remove = async (uploadId: string): Promise<boolean> => {
    const upload = await get(uploadId);
    if (upload === null) return false;
    await takeOver(upload.upload_id);
    const removed = await rows.remove(upload.upload_id);
    await rm(fileOf(upload.upload_id), { force: true });
    changed(upload);
    return removed;
  };

  const check = async (upload: Upload, at: Date): Promise<void> => {
    const found = await digest(fileOf(upload.upload_id));
    if (found !== upload.sha256) {
      await remove(upload.upload_id);
      const message = `expected bytes of SHA-256 ${upload.sha256}, found ${found}; send them again from the beginning`;
      throw new RequestRefused(422, 'digest_mismatch', message);
    }
    await rows.complete(upload.upload_id, at);
    changed(upload);
  };

  const checkOnce = async (id: string, at: Date): Promise<void> => {
    const upload = await get(id);
    if (upload === null) throw gone();
    if (upload.completed_at === null) await check(upload, at);
  };

  /** Being hashed now. One at a time for an upload: each more would read the whole file again. */
  const finishing = new Map<string, Promise<void>>();

  /** Every byte is here: it is what it was said to be, or it goes. `upload` may be what was known a while ago. */
  const finish = async ({ upload_id: id }: Upload, at: Date): Promise<void> => {
    const underWay = finishing.get(id);
    if (underWay !== undefined) return underWay;
    const work = checkOnce(id, at).finally(() => finishing.delete(id));
    finishing.set(id, work);
    return work;
  };

  const finishSoon = async (upload: Upload, at: Date): Promise<void> => {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const message =
        'expected a file that is checked, found that its bytes are being hashed; ask again later';
      late.reject(new RequestRefused(423, 'busy', message, { 'retry-after': '5' }));
    }, checkWaitMs);
    try {
      await Promise.race([finish(upload, at), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  };

  const lengthOf = async (uploadId: string) =>
    (
      await stat(fileOf(uploadId)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return { size: 0 };
        throw error;
      })
    ).size;

  return {
    get,
    remove,
    async create(agent, metadata, size, limits, at) {
      if (size > limits.uploadBytes) {
        const message = `expected a file of at most ${limits.uploadBytes} bytes, found one of ${size}`;
        throw new RequestRefused(413, 'too_large', message);
      }
      const made = await rows.insert(agent, metadata, size, limits, at);
      if (made.kind === 'too_many_open' || made.kind === 'no_room') throw noRoom(made, size, limits);
      const { upload } = made;
      if (made.kind === 'there') {
        if (upload.size === size) return { upload, created: false };
        const message = `expected ${upload.size} bytes, as said of this digest before, found ${size}`;
        throw new RequestRefused(422, 'size_mismatch', message);
      }
      for (const id of made.dropped) await rm(fileOf(id), { force: true });
      await (await open(fileOf(upload.upload_id), 'a', 0o600)).close();
      await syncDirectory(folder);
      if (size === 0) await finish(upload, at);
      return { upload, created: true };
    },
    has: async (agentId, about) => ((await rows.find(agentId, about))?.completed_at ?? null) !== null,
    async offset(upload, at) {
      await takeOver(upload.upload_id);
      const length = await lengthOf(upload.upload_id);
      if (length >= upload.size && upload.completed_at === null) await finishSoon(upload, at());
      return length;
    },
    async append(upload, offset, body, at) {
      // Nothing may come between the look and the entry: two at once would write over each other.
      for (let other = writers.get(upload.upload_id); other !== undefined; ) {
        other.cut();
        await other.gone;
        other = writers.get(upload.upload_id);
      }
      const ended = Promise.withResolvers<void>();
      const writer = {
        cut: () => void body.destroy(new Error('a newer request goes on with this upload')),
        gone: ended.promise,
      };
      writers.set(upload.upload_id, writer);
      let reached = offset;
      try {
        const handle = await open(fileOf(upload.upload_id), constants.O_WRONLY | constants.O_CREAT, 0o600);
        try {
          if ((await get(upload.upload_id)) === null) throw gone();
          const { size: length } = await handle.stat();
          if (length !== offset) {
            const message = `expected Upload-Offset ${length}, found ${offset}; ask with HEAD and go on from there`;
            throw new RequestRefused(409, 'offset_mismatch', message, { 'upload-offset': String(length) });
          }
          reached = await receive(body, handle, offset, upload.size);
        } finally {
          try {
            await handle.sync();
          } finally {
            await handle.close();
            // Taken away meanwhile: no file stays without a row.
            if ((await get(upload.upload_id)) === null) await rm(fileOf(upload.upload_id), { force: true });
          }
        }
      } finally {
        writers.delete(upload.upload_id);
        ended.resolve();
      }
      if (reached === upload.size && upload.completed_at === null) await finish(upload, at());
      return reached;
    },
    list: async ({ agent, limit }) =>
      (await rows.list(agent, limit)).map((upload) => ({
        ...upload,
        received: upload.completed_at === null ? null : upload.size,
      })),
    onChanged(hear) {
      const own = (upload: Upload) => hear(upload);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    ofRun: (agentId, runId) => rows.ofRun(agentId, runId),
    async open(upload) {
      if (upload.completed_at === null) return null;
      return open(fileOf(upload.upload_id), constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch(
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return null;
          throw error;
        },
      );
    },
    outputsWanted: (slug) => rows.areOutputsWanted(slug),
    setOutputsWanted: (slug, wanted) => rows.setOutputsWanted(slug, wanted),
    async prune(now, openDays) {
      const given = await rows.giveUp(new Date(now.getTime() - openDays * DAY_MS));
      // The files are listed first: a row is made before its file, so that every one of these has had its row by now.
      const files = readdirSync(folder);
      const known = await rows.ids();
      for (const name of files) if (!known.has(name)) rmSync(join(folder, name), { force: true });
      return given;
    },
  };
}

function gone(): RequestRefused {
  return notFound('expected an upload that is still there, found that it was taken away; make it anew');
}

function noRoom(
  why: Extract<UploadMade, { kind: 'too_many_open' | 'no_room' }>,
  size: number,
  limits: UploadLimits,
): RequestRefused {
  if (why.kind === 'too_many_open') {
    const message = `expected fewer than ${limits.uploadsOpen} uploads that are not finished, found as many; finish those first`;
    return new RequestRefused(429, 'too_many_uploads', message, { 'retry-after': '60' });
  }
  const most = `${limits.uploadAgentFiles} files of ${limits.uploadAgentBytes} bytes in all`;
  const message = `expected at most ${most} of one agent, found ${why.files} of ${why.bytes} and ${size} more; an operator has to remove some`;
  return new RequestRefused(507, 'quota_used_up', message);
}
