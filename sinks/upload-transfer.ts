import { z } from 'zod';
import type { Clock } from '../reconciler/ports.ts';
import { formatUploadMetadata, type UploadMetadata } from '../schemas/upload-metadata.ts';
import { excerpt } from './delivery.ts';
import type { UploadAnswer, UploadCall } from './upload-call.ts';

const ErrorAnswer = z.looseObject({ error: z.looseObject({ code: z.string() }) });

const PIECE_BYTES = 8 * 1_024 * 1_024;
/** How often a transfer that breaks off is taken up again at once, while nothing more arrives. */
const STUMBLES_MAX = 3;
const STUMBLE_FIRST_MS = 1_000;
/** Nothing of a piece was taken for so long: the connection is given up. */
const STANDSTILL_MS = 60_000;

/** A file that is open and stays the same file until it is closed. */
export interface OpenUpload {
  readonly size: number;
  /** Bytes `from` to `to` (exclusive), in chunks; throws when the file has become shorter. */
  chunks(from: number, to: number): AsyncIterable<Uint8Array>;
}

export type Transfer =
  | { readonly kind: 'stored' }
  | { readonly kind: 'again'; readonly message: string; readonly retryAfterMs: number | null }
  /** The console does not want it, whatever is sent. */
  | { readonly kind: 'refused'; readonly message: string }
  /** All bytes were sent and the console found another digest. */
  | { readonly kind: 'mismatch'; readonly message: string };

export interface TransferOptions {
  readonly call: UploadCall;
  /** Where uploads are made: POST. */
  readonly collection: URL;
  /** Where this one is expected to be already, else null. */
  readonly place: URL | null;
  /** Whether a place the console names may be called at all. */
  readonly allows: (url: URL) => boolean;
  readonly metadata: UploadMetadata;
  readonly file: OpenUpload;
  readonly clock: Clock;
  readonly onProgress: (sent: number) => void;
  readonly pieceBytes?: number;
  readonly stumbleMs?: number;
}

const REFUSING: ReadonlySet<number> = new Set([400, 403, 409, 413, 415, 422]);
/** There is no such upload (any more). */
const GONE: ReadonlySet<number> = new Set([404, 410]);

/**
 * Sends a file whole, from wherever the other side says it stands (tus 1.0.0: creation, HEAD, PATCH). Creating is idempotent,
 * so nothing about the upload has to be remembered here. Rejects only when the signal is aborted, or the file cannot be read.
 */
export async function transferFile(options: TransferOptions, signal: AbortSignal): Promise<Transfer> {
  const { file, clock, pieceBytes = PIECE_BYTES, stumbleMs = STUMBLE_FIRST_MS } = options;
  let place = options.place;
  let offset: number | null = null;
  let created = false;
  let stumbles = 0;
  /** The most the other side has said to have: only what goes beyond is progress. */
  let most = -1;

  for (;;) {
    const asked: Asked =
      place === null ? await create(options, signal) : await whereItStands(options, place, offset, signal);
    switch (asked.kind) {
      case 'at':
        place = asked.place;
        created ||= asked.created;
        break;
      case 'gone':
        // Its upload is not there: made anew, once.
        if (created) return { kind: 'again', message: asked.message, retryAfterMs: null };
        place = null;
        offset = null;
        continue;
      default:
        return asked;
    }
    offset = asked.offset;
    if (offset > file.size) {
      const message = `expected an Upload-Offset of at most ${file.size}, found ${offset}`;
      return { kind: 'refused', message };
    }
    options.onProgress(offset);
    if (asked.offset >= file.size) return { kind: 'stored' };
    if (asked.offset > most) {
      most = asked.offset;
      stumbles = 0;
    }

    const sent = await sendPiece(options, place, offset, Math.min(file.size, offset + pieceBytes), signal);
    if (sent.kind === 'at') {
      offset = sent.offset;
      continue;
    }
    if (sent.kind !== 'stumbled') return sent;
    offset = null;
    stumbles += 1;
    if (stumbles > STUMBLES_MAX) return { kind: 'again', message: sent.message, retryAfterMs: null };
    await clock.sleep(stumbleMs * 2 ** (stumbles - 1), signal);
  }
}

type Asked =
  | { readonly kind: 'at'; readonly place: URL; readonly offset: number; readonly created: boolean }
  | { readonly kind: 'gone'; readonly message: string }
  | Exclude<Transfer, { kind: 'stored' }>;

async function create(options: TransferOptions, signal: AbortSignal): Promise<Asked> {
  const { call, collection, metadata, file } = options;
  const answer = await call(
    {
      method: 'POST',
      url: collection,
      headers: {
        'upload-length': String(file.size),
        'upload-metadata': formatUploadMetadata(metadata),
        'content-length': '0',
      },
    },
    signal,
  );
  if (answer.kind === 'no_answer') return { ...answer, kind: 'again', retryAfterMs: null };
  if (answer.status === 422 && codeIn(answer.body) === 'digest_mismatch')
    return { kind: 'mismatch', message: said('POST', collection, answer) };
  if (answer.status !== 201 && answer.status !== 200) return judged('POST', collection, answer);
  const there = answer.location;
  if (there === null || !options.allows(there) || there.pathname === collection.pathname) {
    const found = there === null ? 'none' : there.origin + there.pathname;
    return {
      kind: 'refused',
      message: `POST ${collection.pathname}: expected a Location below it, found ${found}`,
    };
  }
  // What was there already says how far it is.
  if (answer.offset !== null) return { kind: 'at', place: there, offset: answer.offset, created: true };
  const stands = await whereItStands(options, there, null, signal);
  return stands.kind === 'at' ? { ...stands, created: true } : stands;
}

/** `known` when the last answer has said it. */
async function whereItStands(
  options: TransferOptions,
  place: URL,
  known: number | null,
  signal: AbortSignal,
): Promise<Asked> {
  if (known !== null) return { kind: 'at', place, offset: known, created: false };
  const answer = await options.call({ method: 'HEAD', url: place }, signal);
  if (answer.kind === 'no_answer') return { ...answer, kind: 'again', retryAfterMs: null };
  if (GONE.has(answer.status)) return { kind: 'gone', message: said('HEAD', place, answer) };
  // Every byte was there, unchecked; a HEAD has no body to say so, and no other reason for it.
  if (answer.status === 422) return { kind: 'mismatch', message: said('HEAD', place, answer) };
  if (answer.status < 200 || answer.status > 299) return judged('HEAD', place, answer);
  if (answer.offset === null) {
    const message = `HEAD ${place.pathname}: expected Upload-Offset in the answer, found none`;
    return { kind: 'again', message, retryAfterMs: null };
  }
  return { kind: 'at', place, offset: answer.offset, created: false };
}

async function sendPiece(
  options: TransferOptions,
  place: URL,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<
  | { readonly kind: 'at'; readonly offset: number }
  | { readonly kind: 'stumbled'; readonly message: string }
  | Exclude<Transfer, { kind: 'stored' }>
> {
  const { call, file } = options;
  const standstill = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const watch = () => {
    clearTimeout(timer);
    // a chunk may still be asked for when the answer is there, or the connection gone
    if (over) return;
    timer = setTimeout(() => standstill.abort(new Error('standstill')), STANDSTILL_MS);
  };
  async function* chunks() {
    let at = from;
    for await (const chunk of file.chunks(from, to)) {
      watch();
      yield chunk;
      at += chunk.byteLength;
      options.onProgress(at);
    }
  }
  try {
    watch();
    const answer = await call(
      {
        method: 'PATCH',
        url: place,
        headers: { 'content-type': 'application/offset+octet-stream', 'upload-offset': String(from) },
        body: { bytes: to - from, chunks: chunks() },
      },
      AbortSignal.any([signal, standstill.signal]),
    );
    if (answer.kind === 'no_answer') return { kind: 'stumbled', message: answer.message };
    const message = said('PATCH', place, answer);
    if (answer.status === 204 || answer.status === 200) {
      if (answer.offset !== null && answer.offset > from) return { kind: 'at', offset: answer.offset };
      return { kind: 'stumbled', message: `${message}, without an Upload-Offset that moved` };
    }
    // Another offset than we thought, or somebody else is at it: asked again.
    if (answer.status === 409 || answer.status === 423 || GONE.has(answer.status))
      return { kind: 'stumbled', message };
    if (answer.status === 422) return { kind: 'mismatch', message };
    return judged('PATCH', place, answer);
  } catch (error) {
    signal.throwIfAborted();
    if (!standstill.signal.aborted) throw error;
    return {
      kind: 'stumbled',
      message: `PATCH ${place.pathname}: nothing was taken for ${STANDSTILL_MS} ms`,
    };
  } finally {
    over = true;
    clearTimeout(timer);
  }
}

type Answer = Extract<UploadAnswer, { kind: 'answer' }>;

function judged(method: string, url: URL, answer: Answer): Exclude<Transfer, { kind: 'stored' }> {
  const message = said(method, url, answer);
  if (REFUSING.has(answer.status)) return { kind: 'refused', message };
  return { kind: 'again', message, retryAfterMs: answer.retryAfterMs };
}

/** `{error: {code}}`; null when the answer is something else. */
function codeIn(body: string): string | null {
  try {
    return ErrorAnswer.parse(JSON.parse(body)).error.code;
  } catch {
    return null;
  }
}

function said(method: string, url: URL, answer: Answer): string {
  return `${method} ${url.pathname}: expected 2xx, found ${answer.status}${excerpt(answer.body)}`;
}
