import { basename } from 'node:path';
import type { QueuedReport } from '../reconciler/ports.ts';
import type { UploadFileJob, UploadState } from '../schemas/upload.ts';
import type { UploadRefused } from '../sinks/upload-sender.ts';

/** How it stands with a file that was queued. `row` is null once it has arrived, `sent` while nothing is on its way. */
export function stateOf(
  job: UploadFileJob,
  row: Omit<QueuedReport, 'body'> | null,
  sent: number | null,
): UploadState {
  // As sinks/upload-sender.ts writes it.
  const [, code = null, message = null] = /^(\w+): (.*)$/s.exec(row?.parked ?? '') ?? [];
  const waits = sent === null ? 'waiting' : 'sending';
  return {
    upload_id: job.upload_id,
    name: job.name,
    path: job.kind === 'document' ? job.origin : null,
    kind: job.kind,
    size: job.size,
    sha256: job.sha256,
    run_id: job.run_id,
    state: row === null ? 'uploaded' : row.parked === null ? waits : 'refused',
    sent: row === null ? job.size : (sent ?? 0),
    attempts: row?.attempts ?? 0,
    code,
    message: message ?? row?.last_error ?? null,
  };
}

/** A file that was refused before it was queued. */
export function notQueued(path: string, { code, message }: UploadRefused): UploadState {
  return {
    upload_id: null,
    name: basename(path),
    path,
    kind: 'document',
    size: null,
    sha256: null,
    run_id: null,
    state: 'refused',
    sent: 0,
    attempts: 0,
    code,
    message,
  };
}
